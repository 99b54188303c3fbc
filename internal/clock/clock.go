// Package clock is time as Haven needs it: the wall clock, which people set and machines step,
// and a monotonic clock, which nobody can. Both are injected everywhere, so that ninety days pass
// in a microsecond under test.
//
// It never decides which of the two to believe: that is the gate's (gate.Timeline).
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Clock tells both times. Implementations are safe for use by several goroutines.
type Clock interface {
	// Wall is the time of day, as the machine believes it. It may jump either way.
	Wall() time.Time
	// Monotonic is the time since some fixed moment. It never goes back and counts suspended
	// time where the system can tell.
	Monotonic() time.Duration
}

// System is the machine's clock.
func System() Clock { return &systemClock{start: time.Now(), before: suspended()} }

// systemClock asks the system for suspended time at most once a second: the call costs ten times
// what reading the clock does.
type systemClock struct {
	start     time.Time
	before    time.Duration // suspended before the clock was made
	asked     atomic.Int64  // when, as time since start
	suspended atomic.Int64  // what was answered
}

// Wall implements [Clock].
func (*systemClock) Wall() time.Time { return time.Now().Round(0) }

// Monotonic implements [Clock]: time since the clock was made, with the time that the machine was
// suspended, learned within a second of waking up.
func (c *systemClock) Monotonic() time.Duration {
	running := time.Since(c.start)
	if asked := c.asked.Load(); running-time.Duration(asked) >= time.Second && c.asked.CompareAndSwap(asked, int64(running)) {
		if now := int64(suspended() - c.before); now > c.suspended.Load() {
			c.suspended.Store(now)
		}
	}
	return running + time.Duration(c.suspended.Load())
}

// Manual is a clock that moves only when told to. Its zero value is not usable: see [NewManual].
type Manual struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

// NewManual returns a clock standing at start.
func NewManual(start time.Time) *Manual { return &Manual{wall: start.Round(0)} }

// Wall implements [Clock].
func (m *Manual) Wall() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall
}

// Monotonic implements [Clock].
func (m *Manual) Monotonic() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mono
}

// Advance lets d pass, on both clocks.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall = m.wall.Add(d)
	m.mono += d
}

// Step sets the wall clock by d without time passing, as an operator, a time server or an
// attacker does.
func (m *Manual) Step(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall = m.wall.Add(d)
}
