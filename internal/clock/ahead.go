package clock

import (
	"sync/atomic"
	"time"
)

// Ahead is a clock that is ahead of another by a time that can be made longer: for development and
// demonstrations, where ninety days are to pass in a second.
type Ahead struct {
	of Clock
	by atomic.Int64
}

// NewAhead returns a clock that is ahead of another; by a negative time it is behind.
func NewAhead(of Clock, by time.Duration) *Ahead {
	a := &Ahead{of: of}
	a.by.Store(int64(by))
	return a
}

// Wall implements [Clock].
func (a *Ahead) Wall() time.Time { return a.of.Wall().Add(a.By()) }

// Monotonic implements [Clock].
func (a *Ahead) Monotonic() time.Duration { return a.of.Monotonic() + a.By() }

// By returns how far ahead it is.
func (a *Ahead) By() time.Duration { return time.Duration(a.by.Load()) }

// Advance lets d pass, on both clocks. d must not be negative.
func (a *Ahead) Advance(d time.Duration) { a.by.Add(int64(max(d, 0))) }
