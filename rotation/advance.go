package rotation

import (
	"context"
	"fmt"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// MaxAdvance is how far a clock is advanced at once: ten years.
const MaxAdvance = 3653 * 24 * time.Hour

// AdvanceRequest asks to let time pass: so many seconds of it.
type AdvanceRequest struct {
	Seconds int `json:"seconds"`
}

// AdvanceAnswer tells what time it is now, how many scheduled checks were made on the way, and what they
// did.
type AdvanceAnswer struct {
	Now    time.Time `json:"now"`
	Checks int       `json:"checks"`
	Done   uint64    `json:"done"`
	Failed uint64    `json:"failed"`
}

// AdvanceClock lets time pass for a server whose clock can be moved, and makes the checks that the
// schedule asks for on the way, as they would have been made had it passed by itself; those at which
// nothing comes due are left out. There is no way back.
func (s *Scheduler) AdvanceClock(ctx context.Context, c *gate.Call, req AdvanceRequest) (*AdvanceAnswer, error) {
	if req.Seconds < 1 || req.Seconds > int(MaxAdvance/time.Second) {
		return nil, s.cfg.Gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "seconds is 1 to %d, ten years", int64(MaxAdvance/time.Second)))
	}
	span := time.Duration(req.Seconds) * time.Second
	var to time.Time
	err := s.cfg.Gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		if s.cfg.Advance == nil {
			return gate.Outcome{}, gate.Errorf(gate.Unsupported, "this server's clock is the machine's; only that of haven dev can be advanced")
		}
		to = a.Time().Add(span)
		return gate.Outcome{Parameters: fmt.Sprintf("from=%s;to=%s", a.Time().Format(time.RFC3339), to.Format(time.RFC3339))}, nil
	})
	if err != nil {
		return nil, err
	}
	before, checks := s.Figures(), 0
	for s.cfg.View.Now().Before(to) {
		next, err := s.nextUseful(ctx, to)
		if err != nil {
			return nil, err
		}
		if err := s.cfg.Advance(next.Sub(s.cfg.View.Now())); err != nil {
			return nil, gate.Errorf(gate.Unavailable, "the clock could not be advanced: %v", err)
		}
		ran, err := s.Scheduled(ctx, gate.Proof{Local: c.Principal().ID})
		if err != nil {
			return nil, err
		}
		if ran {
			checks++
		}
	}
	after := s.Figures()
	return &AdvanceAnswer{Now: s.cfg.View.Now(), Checks: checks, Done: after.Done - before.Done, Failed: after.Failed - before.Failed}, nil
}

// nextUseful is the next time of the schedule at which something will have come due, or the end.
func (s *Scheduler) nextUseful(ctx context.Context, end time.Time) (time.Time, error) {
	now := s.cfg.View.Now()
	page, err := s.cfg.View.Due(ctx, store.DueQuery{
		Before: end.UnixMilli(), Limit: 1, After: store.Item{Due: now.UnixMilli(), Ref: store.Ref{Kind: 0xff, ID: "\xff"}},
	})
	if err != nil || len(page.Items) == 0 {
		return end, err
	}
	b, _, _, err := s.load(ctx)
	if err != nil {
		return end, err
	}
	if due := time.UnixMilli(page.Items[0].Due).Add(-1); due.After(b.Last) {
		b.Last = due
	}
	next, ok := b.next()
	if !ok || next.After(end) {
		return end, nil
	}
	if !next.After(now) { // one that passed already
		return now.Add(1), nil
	}
	return next, nil
}
