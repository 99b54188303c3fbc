package haven

import (
	"context"
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/store"
)

// begin records that a store was unlocked, with what was tried before, and finishes what an
// earlier process left undone.
func (s *System) begin(ctx context.Context, before Attempts) error {
	parameters := fmt.Sprintf("tried=%d;refused=%d;throttled=%d", before.Tried, before.Refused, before.Throttled)
	if err := s.own(ctx, gate.Start, parameters, nothing); err != nil {
		return err
	}
	s.sealing.Lock()
	defer s.sealing.Unlock()
	return s.finishRotation(ctx)
}

func nothing(gate.Approved) (gate.Outcome, error) { return gate.Outcome{}, nil }

// atMachine is an operation of the table that an operator at the machine begins.
type atMachine struct {
	op, as     *gate.Operation // as is whose permission it needs, nil for its own
	parameters string
	// approval is one of exactly what asked says, zero for none.
	approval gate.ID
	asked    identity.SealChange
}

// own runs an operation as the local administrator.
func (s *System) own(ctx context.Context, op *gate.Operation, parameters string, f gate.Function) error {
	return s.run(ctx, atMachine{op: op, parameters: parameters}, f)
}

func (s *System) run(ctx context.Context, o atMachine, f gate.Function) error {
	c, err := s.gate.Begin(ctx, o.op, gate.Proof{Local: s.admin})
	if err != nil {
		return err
	}
	if !o.approval.IsZero() {
		_, hash, err := o.asked.Canonical()
		if err != nil {
			return s.gate.Refuse(ctx, c, err)
		}
		c.Approved(o.approval, hash)
	}
	err = s.gate.Do(ctx, c, gate.Request{As: o.as, Parameters: o.parameters}, f)
	var refused *gate.Error
	if errors.As(err, &refused) && errors.Is(refused.Cause(), store.ErrFailed) {
		return fmt.Errorf("haven: %w: %w", store.ErrFailed, err) // the process ends with 74 by it
	}
	return err
}

// item reads one checked item for changing it.
func (s *System) item(ctx context.Context, a gate.Approved, ref store.Ref) (*store.Item, error) {
	items, epoch, err := s.view.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	s.view.Note(a.Reading(), epoch, ref)
	return &items[0], nil
}
