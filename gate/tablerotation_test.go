package gate_test

import (
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/rotation"
)

// rotationRows are the operations of the Rotation Scheduler.
func rotationRows() map[string]row {
	return map[string]row{
		"check-rotation": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				req := rotation.CheckRequest{Limit: 7}
				if fail {
					req.Limit = rotation.MaxChecked + 1
				}
				_, err := f.Scheduler().CheckRotation(background, c, req)
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"execute-rotations": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Scheduler().ExecuteRotations(background, c, rotation.ExecuteRequest{Keys: []string{pick(fail, f.key+"@1", f.key)}})
				return err
			},
			fails: gate.InvalidRequest, names: func(f *fixture, _ gate.ID) names { return names{key: f.id} },
		},
		"advance-clock": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				req := rotation.AdvanceRequest{Seconds: 1}
				if fail {
					req.Seconds = 0
				}
				_, err := f.Scheduler().AdvanceClock(background, c, req)
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"list-due": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Scheduler().ListDue(background, c, rotation.DueRequest{Cursor: pick(fail, "x", "")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"schedule-rotation-check": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Scheduler().ScheduleRotationCheck(background, c, rotation.ScheduleRequest{Expression: pick(fail, "rate(0 days)", "rate(2 days)")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"describe-rotation-schedule": {
			run: func(f *fixture, c *gate.Call, _ bool) error {
				_, err := f.Scheduler().DescribeRotationSchedule(background, c, rotation.StatusRequest{})
				return err
			},
			names: nothingNamed,
		},
	}
}

// changesOfSchedule is what sets when checks are made.
func changesOfSchedule() map[string]changing {
	set := func(expression, zone string) effect {
		return func(f *furnished) error {
			_, err := f.RotationScheduler().Schedule(background, rotation.ScheduleRequest{Expression: expression, Timezone: zone})
			return err
		}
	}
	return map[string]changing{
		"schedule-rotation-check": {effects: []effect{
			set("rate(3 days)", ""), set("rate(2 days)", ""), set("cron(0 8 * * ? *)", ""), set("cron(0 8 * * ? *)", "Europe/Berlin"),
		}},
	}
}
