package gate

import (
	"fmt"
	"sync"
	"time"
)

// StrangersEvery is how often calls that leave no record of their own are recorded together: those
// that proved nobody, and those over their principal's rate.
const StrangersEvery = 10 * time.Second

// strangers counts calls of one refusal that leave no record of their own: a flood of them must not
// fill the journal. One record tells of many, with their exact count.
type strangers struct {
	refusal Code

	mu    sync.Mutex
	n     tally
	began bool
	last  time.Duration // when they were last recorded, by the monotonic clock
}

// tally is how many calls there were since they were last recorded.
type tally struct {
	count uint64
	// sample is the first of them, without its proof.
	sample *Call
	// mixed tells that they are not all of the sample's principal.
	mixed bool
}

// add counts calls; those of a record that did not become durable are counted again, for the next.
func (s *strangers) add(n tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(n)
}

func (s *strangers) addLocked(n tally) {
	s.n.count += n.count
	if s.n.sample == nil {
		s.n.sample, s.n.mixed = n.sample, n.mixed
	} else {
		s.n.mixed = s.n.mixed || n.mixed || s.n.sample.principal.ID != n.sample.principal.ID
	}
}

// note counts a call and returns what is to be recorded now: nothing, a count of 0, while the last
// record is not old enough.
func (s *strangers) note(c *Call, now time.Duration) tally {
	sample := &Call{op: c.op, caller: &caller{
		proof: Proof{Source: c.proof.Source, UserAgent: c.proof.UserAgent}, principal: c.principal,
		request: c.request, drawn: c.drawn,
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(tally{count: 1, sample: sample})
	if s.began && now-s.last < StrangersEvery {
		return tally{}
	}
	return s.takeLocked(now)
}

// take returns what was counted and not recorded.
func (s *strangers) take(now time.Duration) tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n.count == 0 {
		return tally{}
	}
	return s.takeLocked(now)
}

func (s *strangers) takeLocked(now time.Duration) tally {
	n := s.n
	s.n, s.began, s.last = tally{}, true, now
	return n
}

// stranger counts a call that is refused as s refuses, and records it if the last record is old
// enough.
func (g *Gate) stranger(c *Call, s *strangers) {
	g.recordStrangers(s, s.note(c, g.view.time.clock.Monotonic()))
}

// RecordStrangers records the calls that proved nobody, and those over their principal's rate, that
// were counted and not recorded yet. Who serves a network calls it every StrangersEvery, so that a
// process that is killed loses no older counts.
func (g *Gate) RecordStrangers() {
	for _, s := range []*strangers{&g.unproven, &g.limited} {
		g.recordStrangers(s, s.take(g.view.time.clock.Monotonic()))
	}
}

// recordStrangers joins the batch without waiting: who proved nobody has no claim to wait for. The
// record's operation and caller are those of the sample; calls of several principals over their
// rates are nobody's.
func (g *Gate) recordStrangers(s *strangers, n tally) {
	if n.count == 0 {
		return
	}
	c := &Call{op: Unrecognized, caller: n.sample.caller}
	if n.mixed {
		c.caller = &caller{request: n.sample.request}
	}
	req := &Request{Parameters: fmt.Sprintf("operation=%s;count=%d", n.sample.op.Name, n.count)}
	if e := g.failure(c, req, nil, &Error{Code: s.refusal}); e != nil {
		e.lost = func() { s.add(n) }
		g.seq.join(false, e)
	}
}
