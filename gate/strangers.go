package gate

import (
	"fmt"
	"sync"
	"time"
)

// strangers counts calls that proved nobody. A flood of them must not fill the journal: at most
// one record in strangerEvery is written, with the exact count since the one before it.
type strangers struct {
	mu    sync.Mutex
	count uint64
	last  time.Time
}

// add counts calls whose sample was not recorded again, for the next.
func (s *strangers) add(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count += n
}

const strangerEvery = 10 * time.Second

// stranger counts a call that proved nobody, and records it if the last record is old enough.
func (g *Gate) stranger(c *Call) {
	g.stats.unauthenticated.Add(1)
	now := g.view.Now()
	g.strangers.mu.Lock()
	g.strangers.count++
	due := g.strangers.last.IsZero() || now.Sub(g.strangers.last) >= strangerEvery
	count := g.strangers.count
	if due {
		g.strangers.count, g.strangers.last = 0, now
	}
	g.strangers.mu.Unlock()
	if due {
		g.recordStrangers(c, count)
	}
}

// flushStrangers records the calls that were counted and not yet recorded.
func (g *Gate) flushStrangers() {
	g.strangers.mu.Lock()
	count := g.strangers.count
	g.strangers.count = 0
	g.strangers.mu.Unlock()
	if count == 0 {
		return
	}
	id, err := NewID(g.view.Now(), g.random)
	if err == nil {
		g.recordStrangers(&Call{op: Unrecognized, caller: &caller{request: id}}, count)
	}
}

// recordStrangers joins the batch without waiting: who proved nobody has no claim to wait for.
func (g *Gate) recordStrangers(c *Call, count uint64) {
	sample := *c
	sample.op = Unrecognized
	req := &Request{Parameters: fmt.Sprintf("operation=%s;count=%d", c.op.Name, count)}
	e := g.failure(&sample, req, nil, &Error{Code: Unauthenticated})
	if e != nil {
		e.lost = func() { g.strangers.add(count) }
		g.seq.join(false, e)
	}
}
