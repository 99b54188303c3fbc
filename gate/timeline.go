package gate

import (
	"sync"
	"time"

	"github.com/haven-health/haven/internal/clock"
)

// MaxClockStep is how far the wall clock may leave the monotonic one before it is no longer
// believed.
const MaxClockStep = 5 * time.Minute

// Timeline is the time that deadlines are compared with. It never goes back, and it does not
// follow a wall clock that jumped: then it goes on by the monotonic clock and raises an alarm
// until an operator accepts the new time.
type Timeline struct {
	clock clock.Clock

	mu sync.Mutex
	// base is wall minus monotonic when the wall clock was last accepted as a whole; offset is
	// the same for the last wall time that was believed.
	base, offset time.Time
	last         time.Time
	alarm        bool
}

// NewTimeline starts at the wall clock's time, or at last, the time of the newest record, if the
// wall clock is before it.
func NewTimeline(c clock.Clock, last time.Time) *Timeline {
	t := &Timeline{clock: c, last: last}
	wall, mono := c.Wall(), c.Monotonic()
	start := wall
	if wall.Before(last) {
		start = last
		t.alarm = last.Sub(wall) > MaxClockStep
	}
	t.base = start.Add(-mono)
	t.offset = t.base
	return t
}

// Now returns the present time, UTC, never before any it returned earlier.
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

// accept takes the wall clock as it is. Time still never goes back: if the wall clock is behind,
// it stands until the wall clock has caught up.
func (t *Timeline) accept() {
	wall, mono := t.clock.Wall(), t.clock.Monotonic()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base = wall.Add(-mono)
	t.offset = t.base
	t.alarm = false
}
