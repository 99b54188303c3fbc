package gate

import (
	"fmt"
	"sync"
	"time"
)

// strangers counts calls that proved nobody, and calls over their principal's rate. A flood of them
// must not fill the journal: at most one record in strangerEvery is written, with the exact counts
// since the one before it.
type strangers struct {
	mu   sync.Mutex
	n    tally
	last time.Time
}

// tally is how many calls there were, and how many of them were over a rate: the others proved
// nobody.
type tally struct{ all, limited uint64 }

// add counts calls; those of a sample that was not recorded are counted again, for the next.
func (s *strangers) add(n tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n.all += n.all
	s.n.limited += n.limited
}

// take returns what was counted since it was last taken, if it is time to tell, and that it is.
func (s *strangers) take(now time.Time) (n tally, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < strangerEvery {
		return tally{}, false
	}
	n, s.n, s.last = s.n, tally{}, now
	return n, true
}

const strangerEvery = 10 * time.Second

// stranger counts a call that is refused as unauthenticated or rate_limited, and records it if the
// last record is old enough.
func (g *Gate) stranger(c *Call, refusal Code) {
	g.stats.unauthenticated.Add(1)
	one := tally{all: 1}
	if refusal == RateLimited {
		one.limited = 1
	}
	g.strangers.add(one)
	if n, due := g.strangers.take(g.view.Now()); due {
		g.recordStrangers(c, refusal, n)
	}
}

// flushStrangers records the calls that were counted and not yet recorded.
func (g *Gate) flushStrangers() {
	g.strangers.mu.Lock()
	n := g.strangers.n
	g.strangers.n = tally{}
	g.strangers.mu.Unlock()
	if n.all == 0 {
		return
	}
	id, err := NewID(g.view.Now(), g.random)
	if err == nil {
		g.recordStrangers(&Call{op: Unrecognized, caller: &caller{request: id}}, Unauthenticated, n)
	}
}

// recordStrangers joins the batch without waiting: who proved nobody has no claim to wait for. The
// record's error and caller are those of the sample.
func (g *Gate) recordStrangers(c *Call, refusal Code, n tally) {
	sample := *c
	sample.op = Unrecognized
	req := &Request{Parameters: fmt.Sprintf("operation=%s;count=%d", c.op.Name, n.all)}
	if n.limited > 0 {
		req.Parameters += fmt.Sprintf(";limited=%d", n.limited)
	}
	e := g.failure(&sample, req, nil, &Error{Code: refusal})
	if e != nil {
		e.lost = func() { g.strangers.add(n) }
		g.seq.join(false, e)
	}
}
