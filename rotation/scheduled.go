package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/rotation/schedule"
	"github.com/haven-health/haven/store"
)

// DefaultSchedule is followed until another is set.
const DefaultSchedule = "rate(1 day)"

// noticeDays is how long before it happens a person is told of what comes due.
const noticeDays = 7

// ScheduleRequest sets when checks are made: a rate, cron or at expression of EventBridge Scheduler, and
// the time zone of cron and at, by its IANA name (default UTC).
type ScheduleRequest struct {
	Expression string `json:"expression"`
	Timezone   string `json:"timezone,omitzero"`
}

// Schedule tells when checks are made. The figures are of the server that is asked, since it started.
type Schedule struct {
	Expression string `json:"expression"`
	Timezone   string `json:"timezone"`
	// NextCheckAt is absent when none comes any more.
	NextCheckAt time.Time `json:"next_check_at,omitzero"`
	// LastCheckAt is when the last scheduled check that ended began; absent before the first.
	LastCheckAt time.Time `json:"last_check_at,omitzero"`
	Done        uint64    `json:"done"`
	Failed      uint64    `json:"failed"`
	Waiting     int64     `json:"waiting"`
	Overdue     int64     `json:"overdue"`
}

// StatusRequest asks for the schedule; it says nothing more.
type StatusRequest struct{}

// scheduleBody is the schedule as it is stored.
type scheduleBody struct {
	Format     int    `json:"v"`
	Expression string `json:"expression"`
	Timezone   string `json:"timezone,omitzero"`
	// Since is when it is followed from.
	Since time.Time `json:"since"`
	// Last is when the newest scheduled check that ended began.
	Last time.Time `json:"last,omitzero"`
}

const bodyFormat = 1

func scheduleRef() store.Ref { return store.Ref{Kind: store.KindSetting, ID: "rotation-schedule"} }

// FirstSchedule stages the default schedule of a new store: a day from now the first check.
func FirstSchedule(now time.Time) (gate.Change, error) {
	return scheduleChange(&scheduleBody{Expression: DefaultSchedule, Since: now.UTC().Truncate(time.Second).AddDate(0, 0, 1)}, nil)
}

func scheduleChange(b *scheduleBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := json.Marshal(b)
	if err != nil {
		return gate.Change{}, fmt.Errorf("rotation: encoding the schedule: %w", err)
	}
	return gate.Change{Ref: scheduleRef(), Body: body, Before: before}, nil
}

// load reads the schedule; item is nil where none was set.
func (s *Scheduler) load(ctx context.Context) (b scheduleBody, item *store.Item, epoch store.Epoch, err error) {
	items, epoch, err := s.cfg.View.Get(ctx, scheduleRef())
	if err != nil {
		return b, nil, epoch, err
	}
	if items[0].Revision == 0 {
		return scheduleBody{Expression: DefaultSchedule}, nil, epoch, nil
	}
	err = json.Unmarshal(items[0].Body, &b, json.RejectUnknownMembers(true))
	if err != nil || b.Format != bodyFormat {
		return b, nil, epoch, gate.Errorf(gate.Internal, "the stored rotation schedule cannot be read; it may come from a later release")
	}
	return b, &items[0], epoch, nil
}

// next is the first time of the schedule after the last check began.
func (b *scheduleBody) next() (time.Time, bool) {
	e, zone, err := parse(b.Expression, b.Timezone)
	if err != nil {
		return time.Time{}, false
	}
	return e.Next(b.Last, schedule.Plan{Start: b.Since, Zone: zone})
}

func parse(expression, timezone string) (schedule.Expression, *time.Location, error) {
	e, err := schedule.Parse(expression, schedule.Scheduler)
	if err != nil {
		return e, nil, gate.Errorf(gate.InvalidRequest, "%v", err)
	}
	if timezone == "" {
		return e, time.UTC, nil
	}
	zone, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		return e, nil, gate.Errorf(gate.InvalidRequest, "no time zone of that name; one is Europe/Berlin")
	}
	return e, zone, nil
}

// ScheduleRotationCheck sets when checks are made from now on. A rate makes the first one at once.
func (s *Scheduler) ScheduleRotationCheck(ctx context.Context, c *gate.Call, req ScheduleRequest) (*Schedule, error) {
	if _, _, err := parse(req.Expression, req.Timezone); err != nil {
		return nil, s.cfg.Gate.Refuse(ctx, c, err)
	}
	var out Schedule
	err := s.cfg.Gate.Do(ctx, c, gate.Request{
		Parameters: "expression=" + req.Expression + ";timezone=" + req.Timezone,
		Replay: func(answer []byte) error {
			out = Schedule{}
			return json.Unmarshal(answer, &out)
		},
	}, func(a gate.Approved) (gate.Outcome, error) {
		before, item, epoch, err := s.load(ctx)
		if err != nil {
			return gate.Outcome{}, err
		}
		s.cfg.View.Note(a.Reading(), epoch, scheduleRef())
		b := scheduleBody{Expression: req.Expression, Timezone: req.Timezone, Since: a.Time().Truncate(time.Second), Last: before.Last}
		if _, ok := b.next(); !ok {
			return gate.Outcome{}, gate.Errorf(gate.InvalidRequest, "%s never comes any more: no check would be made", req.Expression)
		}
		change, err := scheduleChange(&b, item)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = s.shown(&b)
		answer, err := json.Marshal(&out)
		return gate.Outcome{Changes: []gate.Change{change}, Answer: answer}, err
	})
	if err != nil {
		return nil, err
	}
	select {
	case s.changed <- struct{}{}:
	default: // nobody looked since the one before
	}
	return &out, nil
}

// DescribeRotationSchedule tells when checks are made, and what the last one found.
func (s *Scheduler) DescribeRotationSchedule(ctx context.Context, c *gate.Call, _ StatusRequest) (*Schedule, error) {
	var out Schedule
	err := s.cfg.Gate.Do(ctx, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		b, _, _, err := s.load(ctx)
		out = s.shown(&b)
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (s *Scheduler) shown(b *scheduleBody) Schedule {
	f := s.Figures()
	out := Schedule{Expression: b.Expression, Timezone: b.Timezone, LastCheckAt: b.Last, Done: f.Done, Failed: f.Failed, Waiting: f.Waiting, Overdue: f.Overdue}
	if out.Timezone == "" {
		out.Timezone = "UTC"
	}
	out.NextCheckAt, _ = b.next()
	return out
}

// Changed is ready once the schedule was changed through this Scheduler.
func (s *Scheduler) Changed() <-chan struct{} { return s.changed }

// Next returns when the next scheduled check is to be made, perhaps in the past; false if none is.
func (s *Scheduler) Next(ctx context.Context) (time.Time, bool, error) {
	b, _, _, err := s.load(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	at, ok := b.next()
	return at, ok, nil
}

// Scheduled makes the check that the schedule asks for by now, in the principal's name, and tells
// whether there was one to make: not if another scheduler ended it before. However many times of the
// schedule passed, it is one check; what remains after a limit is done in the same.
//
// It has ended when its record is durable; what is killed before that is made again.
func (s *Scheduler) Scheduled(ctx context.Context, as gate.Proof) (ran bool, err error) {
	b, _, _, err := s.load(ctx)
	if err != nil {
		return false, err
	}
	if at, ok := b.next(); !ok || at.After(s.cfg.View.Now()) {
		return false, nil
	}
	c, err := s.cfg.Gate.Begin(ctx, gate.CheckRotation, as)
	if err != nil {
		return false, err
	}
	began := s.cfg.View.Now()
	var all CheckAnswer
	for more := true; more; {
		out, err := s.check(ctx, c, MaxChecked)
		if err != nil {
			return true, err
		}
		all.Done = append(all.Done, out.Done...)
		all.Failed, all.Waiting = out.Failed, out.Waiting
		more = out.More && len(out.Done) > 0
	}
	if err := s.notice(ctx, &b, began, &all); err != nil {
		return true, err
	}
	return true, s.ended(ctx, c, began, &all)
}

// ended records that the check for the schedule's times up to one ended.
func (s *Scheduler) ended(ctx context.Context, c *gate.Call, began time.Time, all *CheckAnswer) error {
	own, err := s.cfg.Gate.Own(ctx, c, gate.CheckRotation)
	if err != nil {
		return err
	}
	parameters := fmt.Sprintf("scheduled=true;done=%d;failed=%d;waiting=%d", len(all.Done), len(all.Failed), len(all.Waiting))
	err = s.cfg.Gate.Do(ctx, own, gate.Request{Parameters: parameters}, func(a gate.Approved) (gate.Outcome, error) {
		b, item, epoch, err := s.load(ctx)
		if err != nil {
			return gate.Outcome{}, err
		}
		s.cfg.View.Note(a.Reading(), epoch, scheduleRef())
		if !b.Last.Before(began) { // another scheduler was first
			return gate.Outcome{}, nil
		}
		b.Last = began.UTC()
		change, err := scheduleChange(&b, item)
		return gate.Outcome{Changes: []gate.Change{change}}, err
	})
	if errors.Is(err, gate.Conflict) || errors.Is(err, gate.Contended) {
		return nil // another ended it; the next time is told by what is stored
	}
	return err
}

// notice tells what a person should know of before it happens, once, when it comes within sight, and
// what waits for one.
func (s *Scheduler) notice(ctx context.Context, b *scheduleBody, now time.Time, all *CheckAnswer) error {
	coming, err := s.horizon(ctx, now, now.AddDate(0, 0, noticeDays))
	if err != nil {
		return err
	}
	s.figures.coming.Store(int64(len(coming)))
	if s.cfg.Notice == nil {
		return nil
	}
	told := b.Last.AddDate(0, 0, noticeDays) // as far as the check before looked
	var out []Task
	for _, t := range coming {
		if !t.At.After(told) {
			continue
		}
		if t.Do == "destroy" || t.Do == "expire" || t.Do == "erase-material" || t.Waits != "" {
			out = append(out, t)
		}
	}
	out = append(append(out, all.Waiting...), all.Failed...)
	if len(out) > 0 {
		s.cfg.Notice(ctx, out)
	}
	return nil
}
