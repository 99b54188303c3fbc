package gate

import (
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/internal/clock"
)

// MaxStoreWait is how long the store may take over one batch. After that the gate turns calls away
// at once: a store that hangs, instead of failing, would have each of them wait for its own
// deadline, behind a batch that nobody can take back, because what became of it is not known.
const MaxStoreWait = 30 * time.Second

// stall knows since when the sequencer waits for the store.
type stall struct {
	clock clock.Clock
	since atomic.Int64 // monotonic, and 1 more; 0: it does not wait
}

func (s *stall) begin() { s.since.Store(int64(s.clock.Monotonic()) + 1) }

func (s *stall) end() { s.since.Store(0) }

func (s *stall) lasts() bool {
	since := s.since.Load()
	return since != 0 && s.clock.Monotonic()-time.Duration(since-1) > MaxStoreWait
}

// turnedAway is the answer to a call while the store hangs.
func turnedAway() error {
	return Errorf(Unavailable, "the store has not answered for over %d seconds; nothing was done: try again later", int(MaxStoreWait.Seconds()))
}

// Stalled tells that the store has been over a batch for longer than MaxStoreWait: until it returns,
// every call is refused as Unavailable.
func (g *Gate) Stalled() bool { return g.seq.stall.lasts() }
