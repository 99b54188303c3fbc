package gate

import (
	"sync"
	"time"

	"github.com/haven-health/haven/internal/clock"
)

// MaxClockStep is how far the wall clock may leave the monotonic one before it is no longer
// believed.
const MaxClockStep = 5 * time.Minute

// DefaultClockGap is how long after the time that was last believed a start takes the wall clock
// up, where nothing else is said.
const DefaultClockGap = 7 * 24 * time.Hour

// Timeline is the time that deadlines are compared with. It goes back only when an operator says
// so, and it does not follow a wall clock that jumped: then it goes on by the monotonic clock and
// raises an alarm until an operator accepts the new time.
type Timeline struct {
	clock clock.Clock

	mu sync.Mutex
	// base is wall minus monotonic when the wall clock was last accepted as a whole; offset is
	// the same for the last wall time that was believed.
	base, offset time.Time
	last         time.Time
	alarm        bool
}

// Believed is what an earlier process believed of the time.
type Believed struct {
	// At is the last time it believed, that of the newest record; zero for a new store.
	At time.Time
	// Alarm tells that the wall clock was not believed then.
	Alarm bool
}

// NewTimeline goes on from what was believed before. It takes the wall clock up if that is not
// before it and not more than gap after it, or, where an alarm stood, within MaxClockStep of it;
// else time goes on from there, with an alarm. A gap of 0 is DefaultClockGap; with a negative one any
// wall clock that is not before it is taken up. How long a process did not run nobody can tell but the wall clock, so a machine that was off
// for longer than the gap needs an operator's word.
func NewTimeline(c clock.Clock, before Believed, gap time.Duration) *Timeline {
	t := &Timeline{clock: c, last: before.At}
	wall, mono := c.Wall(), c.Monotonic()
	start := wall
	if gap == 0 {
		gap = DefaultClockGap
	}
	if before.Alarm && gap > 0 {
		gap = MaxClockStep
	}
	if ahead := wall.Sub(before.At); !before.At.IsZero() && (ahead < 0 || gap > 0 && ahead > max(gap, MaxClockStep)) {
		start = before.At
		t.alarm = ahead > 0 || -ahead > MaxClockStep
	}
	t.base = start.Add(-mono)
	t.offset = t.base
	return t
}

// Now returns the present time, UTC, never before any it returned earlier but for a wall clock
// that was accepted to be behind.
func (t *Timeline) Now() time.Time {
	wall, mono := t.clock.Wall(), t.clock.Monotonic()
	t.mu.Lock()
	defer t.mu.Unlock()
	at := wall.Add(-mono)
	if d := at.Sub(t.base); d > MaxClockStep || d < -MaxClockStep {
		t.alarm = true
	} else {
		t.offset = at
		t.alarm = false
	}
	if now := t.offset.Add(mono); now.After(t.last) {
		t.last = now
	}
	return t.last.UTC()
}

// Alarm tells whether the wall clock is not believed at present.
func (t *Timeline) Alarm() bool {
	t.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.alarm
}

// Wall returns what the machine's clock says, believed or not, UTC.
func (t *Timeline) Wall() time.Time { return t.clock.Wall().UTC() }

// clockReading is both clocks at one moment.
type clockReading struct {
	wall time.Time
	mono time.Duration
}

func (t *Timeline) read() clockReading {
	return clockReading{t.clock.Wall(), t.clock.Monotonic()}
}

// accept takes a reading of the wall clock as it is. One that is behind the present time takes it
// back if back says so; else time stands until the wall clock has caught up.
func (t *Timeline) accept(r clockReading, back bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base = r.wall.Add(-r.mono)
	t.offset = t.base
	t.alarm = false
	if back && r.wall.Before(t.last) {
		t.last = r.wall
	}
}
