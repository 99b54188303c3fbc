package gate_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/keys"
)

func TestTimeline(t *testing.T) {
	const limit = gate.MaxClockStep
	for _, test := range []struct {
		name  string
		step  time.Duration
		now   time.Duration // after one more minute, from the start
		alarm bool
	}{
		{"no step", 0, time.Minute, false},
		{"forward within the limit", limit, limit + time.Minute, false},
		{"forward beyond it", limit + 1, time.Minute, true},
		{"an hour forward", time.Hour, time.Minute, true},
		{"ten years forward", 10 * 365 * 24 * time.Hour, time.Minute, true},
		{"back within the limit: time stands", -limit, 0, false},
		{"back beyond it", -limit - 1, time.Minute, true},
		{"an hour back", -time.Hour, time.Minute, true},
		{"ten years back", -10 * 365 * 24 * time.Hour, time.Minute, true},
	} {
		c := clock.NewManual(gatetest.Start)
		line := gate.NewTimeline(c, gate.Believed{At: gatetest.Start.Add(-time.Hour)}, 0)
		line.Now()
		c.Step(test.step)
		c.Advance(time.Minute)
		if got := line.Now().Sub(gatetest.Start); got != test.now || line.Alarm() != test.alarm {
			t.Errorf("%s: time went %v, alarm %v", test.name, got, line.Alarm())
		}
		c.Step(-test.step)
		if line.Alarm() {
			t.Errorf("%s: the alarm stands though the step was taken back", test.name)
		}
	}
}

// TestTimelineStart: a start takes the wall clock up if it is not before the newest record nor too
// long after it, and if no alarm stood; else it goes on from that record.
func TestTimelineStart(t *testing.T) {
	const day, step = 24 * time.Hour, gate.MaxClockStep
	for _, test := range []struct {
		ahead time.Duration // the wall clock, of the last record
		stood bool          // an alarm
		gap   time.Duration
		now   time.Duration // after one more minute, from the last record
		alarm bool
	}{
		{ahead: time.Minute, now: 2 * time.Minute},
		{ahead: 0, now: time.Minute},
		{ahead: -step, now: 0}, // stands until the clock has caught up
		{ahead: -step - 1, now: time.Minute, alarm: true},
		{ahead: -365 * day, now: time.Minute, alarm: true},
		{ahead: gate.DefaultClockGap, now: gate.DefaultClockGap + time.Minute},
		{ahead: gate.DefaultClockGap + 1, now: time.Minute, alarm: true},
		{ahead: 365 * day, now: time.Minute, alarm: true},
		{ahead: 365 * day, gap: -1, now: 365*day + time.Minute},
		{ahead: 365 * day, gap: -1, stood: true, now: 365*day + time.Minute},
		{ahead: -time.Hour, gap: -1, now: time.Minute, alarm: true},
		{ahead: 2 * day, gap: day, now: time.Minute, alarm: true},
		{ahead: step, gap: 1, now: step + time.Minute},
		{ahead: step, stood: true, now: step + time.Minute}, // it was mended
		{ahead: -step, stood: true, now: 0},
		{ahead: step + 1, stood: true, now: time.Minute, alarm: true},
		{ahead: step + 1, stood: true, gap: day, now: time.Minute, alarm: true},
		{ahead: -step - 1, stood: true, now: time.Minute, alarm: true},
	} {
		c := clock.NewManual(gatetest.Start)
		last := gatetest.Start.Add(-test.ahead)
		line := gate.NewTimeline(c, gate.Believed{At: last, Alarm: test.stood}, test.gap)
		if got := line.Now(); got.Before(last) {
			t.Errorf("%+v: starts at %v, before the last record", test, got)
		}
		c.Advance(time.Minute)
		if got := line.Now().Sub(last); got != test.now || line.Alarm() != test.alarm {
			t.Errorf("%+v: time went %v, alarm %v", test, got, line.Alarm())
		}
	}
	c := clock.NewManual(gatetest.Start)
	if line := gate.NewTimeline(c, gate.Believed{}, 0); line.Alarm() || !line.Now().Equal(gatetest.Start) {
		t.Error("a new store does not take the clock up")
	}
}

// TestTimelineNeverGoesBack: whatever the wall clock does, time goes forward, and never further from
// the monotonic clock than the limit.
func TestTimelineNeverGoesBack(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := clock.NewManual(gatetest.Start)
		line := gate.NewTimeline(c, gate.Believed{At: gatetest.Start}, 0)
		before := line.Now()
		for range 50 {
			switch rng.IntN(3) {
			case 0:
				c.Step(time.Duration(rng.Int64N(int64(2*time.Hour))) - time.Hour)
			case 1:
				c.Step(time.Duration(rng.Int64N(int64(4*time.Second))) - 2*time.Second)
			case 2:
				c.Advance(time.Duration(rng.Int64N(int64(time.Hour))))
			}
			now := line.Now()
			if now.Before(before) {
				t.Fatalf("seed %d: time went from %v to %v", seed, before, now)
			}
			if off := now.Sub(gatetest.Start.Add(c.Monotonic())); off > gate.MaxClockStep || off < -gate.MaxClockStep {
				t.Fatalf("seed %d: time is %v off", seed, off)
			}
			before = now
		}
	}
}

// TestClockStepsExpireNothing: a wall clock that jumps while Haven runs ends no right and gives none
// back, until an operator accepts it.
func TestClockStepsExpireNothing(t *testing.T) {
	w := gatetest.New(t)
	km := w.KeyManager()
	k, err := km.CreateKey(background, keys.CreateRequest{Purpose: "clinic", Type: keys.Data, RotationDays: 90})
	if err != nil {
		t.Fatal(err)
	}
	version := func() uint32 {
		t.Helper()
		out, err := km.Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		return out.Version
	}
	for _, step := range []time.Duration{time.Hour, -2 * time.Hour, 10 * year, -20 * year} {
		w.Clock.Step(step)
		if v := version(); v != 1 || !w.Alarms().Clock {
			t.Errorf("after a step of %v: version %d, alarm %v", step, v, w.Alarms().Clock)
		}
	}
	w.Clock.Advance(90*24*time.Hour - time.Second) // by the monotonic clock
	if v := version(); v != 1 {
		t.Errorf("version %d before the end of the cryptoperiod", v)
	}
	w.Clock.Advance(time.Second)
	if v := version(); v != 2 {
		t.Errorf("version %d after the end of the cryptoperiod", v)
	}
	w.Clock.Step(10*year + 12*year)
	if err := km.AcceptClock(background, false); err != nil {
		t.Fatal(err)
	}
	if v := version(); v != 3 || w.Alarms().Clock {
		t.Errorf("after the clock was accepted: version %d, alarm %v", v, w.Alarms().Clock)
	}
	monotone(w)
}

// monotone demands that no record's time is before the one before it.
func monotone(w *gatetest.World) {
	w.Helper()
	last := int64(0)
	for _, e := range w.Records(0) {
		if e.Time < last {
			w.Errorf("record %d is of %d, after %d", e.Position, e.Time, last)
		}
		last = e.Time
	}
}

// TestAcceptClockNeedsRight: the clock is not taken from who may not.
func TestAcceptClockNeedsRight(t *testing.T) {
	f := newFixture(t)
	f.Clock.Step(time.Hour)
	c, err := f.Gate().Begin(background, gate.AcceptClock, gate.Proof{Local: f.clerk})
	f.must(err)
	if err := f.Gate().Accept(background, c, false); !errors.Is(err, gate.AccessDenied) || !f.Alarms().Clock {
		t.Errorf("answered %v, alarm %v", err, f.Alarms().Clock)
	}
}

// TestStartBehindLastRecord: a machine whose clock is behind opens the store all the same, with an
// alarm, and its records go on from the last.
func TestStartBehindLastRecord(t *testing.T) {
	w := gatetest.New(t)
	w.Clock.Step(-time.Hour)
	w.Reopen()
	if !w.Alarms().Clock {
		t.Error("no alarm")
	}
	w.Clock.Advance(time.Minute)
	if _, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data}); err != nil {
		t.Fatal(err)
	}
	monotone(w)
}
