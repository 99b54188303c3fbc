package keys

import (
	"context"
	"sync"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// Advance makes the transition that a deadline brought and that an operation waits for, whether or
// not a scheduler runs: it rotates a key whose cryptoperiod is over, or lets a key that was disabled
// for a time be used again. Each is an operation of its own, recorded as Haven's work in the caller's
// name. However many wait for one, it is made once; who comes later finds nothing left to do.
func (m *Manager) Advance(ctx context.Context, c *gate.Call, key gate.ID, why lifecycle.Reason) error {
	done, err := m.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer done()
	op, step := gate.RotateBeforeUse, (*edit).rotateDue
	if why == lifecycle.ReasonResumeFirst {
		op, step = gate.Resume, (*edit).resumeDue
	}
	if due, err := m.ring.waiting(ctx, key, why); err != nil || !due {
		return err
	}
	own, err := m.gate.Own(ctx, c, op)
	if err != nil {
		return err
	}
	_, err = m.manage(ctx, own, key.String(), "", step)
	return err
}

// waiting tells whether a transition is still to be made, by the store as it is: what the
// operation that asks for it read may be older.
func (r *Ring) waiting(ctx context.Context, id gate.ID, why lifecycle.Reason) (bool, error) {
	now := r.cfg.View.Now()
	key, _, err := r.loadKey(ctx, id)
	if err != nil {
		return false, err
	}
	if why == lifecycle.ReasonResumeFirst {
		_, due := lifecycle.AdvanceKey(key.body.Life, now)
		return due, nil
	}
	if key.body.Life.Primary == 0 {
		return false, nil
	}
	primary, _, err := r.loadVersion(ctx, versionID{id, key.body.Life.Primary})
	return err == nil && primary.body.Life.Ended(now), err
}

// rotateDue rotates if the primary's cryptoperiod is over.
func (e *edit) rotateDue() error {
	primary, err := e.loadPrimary()
	if err != nil {
		return err
	}
	if primary == nil || !primary.body.Life.Ended(e.now) {
		e.idle = true
		return nil
	}
	return e.rotate()
}

// resumeDue ends a suspension that was set for a time, if that is over.
func (e *edit) resumeDue() error {
	life, due := lifecycle.AdvanceKey(e.body.Life, e.now)
	if !due {
		e.idle = true
		return nil
	}
	e.body.Life = life
	e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.Disabled, Lift: true})
	return nil
}

// turns lets one goroutine at a time work on a key. A child's turn may wait for its master's, never
// the other way round.
type turns struct {
	mu    sync.Mutex
	taken map[gate.ID]chan struct{} // closed when the turn is over
}

func newTurns() turns { return turns{taken: map[gate.ID]chan struct{}{}} }

// take waits for the turn of a key; call done at its end.
func (t *turns) take(ctx context.Context, key gate.ID) (done func(), err error) {
	mine := make(chan struct{})
	for {
		t.mu.Lock()
		other, taken := t.taken[key]
		if !taken {
			t.taken[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, gate.Errorf(gate.Unavailable, "the deadline came while the key was being brought up to date")
		}
	}
}
