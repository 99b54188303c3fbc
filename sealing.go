package haven

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
)

// Slots returns the attached seals.
func (s *System) Slots(ctx context.Context) ([]seal.Slot, error) {
	page, err := s.view.List(ctx, store.Query{Kind: store.KindSeal, Limit: store.MaxPage})
	if err != nil {
		return nil, err
	}
	var slots []seal.Slot
	for _, item := range page.Items {
		slot, err := seal.DecodeSlot(item.Body)
		if err != nil {
			return nil, fmt.Errorf("haven: seal %q: %w", item.ID, err)
		}
		if slot.Name != slotPrevious {
			slots = append(slots, slot)
		}
	}
	return slots, nil
}

// RotateSeal replaces the root key. Every attached seal must be presented, by slot name, so that
// an operator who no longer holds the recovery seal learns it before anything changed. The new
// root key, the slots and the integrity key change in one commit; what else the root key wraps
// is wrapped anew after it, a page an operation, and a crash between is made good at the next
// start. Calls that create or rotate master keys meanwhile run again under the new root key.
// approval is that of the operation, where a policy demands it; zero for none.
func (s *System) RotateSeal(ctx context.Context, seals map[string]seal.Seal, approval gate.ID) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.rewrapper.page.Lock()
	defer s.rewrapper.page.Unlock()
	if err := s.finishRotation(ctx); err != nil { // one that failed on its way
		return err
	}
	slots, err := s.Slots(ctx)
	if err != nil {
		return err
	}
	old := s.roots.get()
	next, renewed, err := old.Rotate(ctx, slots, seals)
	if err != nil {
		return fmt.Errorf("haven: %w", err)
	}
	previous, err := old.Attach(ctx, slotPrevious, under{next, s.storeID})
	if err != nil {
		next.Destroy()
		return fmt.Errorf("haven: keeping the old root key until its work is taken over: %w", err)
	}
	s.roots.offer(next)
	rotate := atMachine{op: gate.RotateSeal, parameters: fmt.Sprintf("generation=%d;seals=%d", next.Generation(), len(renewed)), approval: approval, asked: identity.SealChange{}}
	err = s.run(ctx, rotate, func(a gate.Approved) (gate.Outcome, error) {
		var o gate.Outcome
		for _, slot := range renewed {
			if err := s.replaceSlot(ctx, a, &o, slot); err != nil {
				return o, err
			}
		}
		if err := s.replaceSlot(ctx, a, &o, previous); err != nil {
			return o, err
		}
		err := s.rewrapIntegrity(ctx, a, &o, old, next)
		return o, err
	})
	if err != nil {
		return err
	}
	s.roots.adopt()
	return s.finishRotation(ctx)
}

func (s *System) replaceSlot(ctx context.Context, a gate.Approved, o *gate.Outcome, slot seal.Slot) error {
	change, err := slotChange(slot)
	if err != nil {
		return err
	}
	before, err := s.item(ctx, a, change.Ref)
	if err != nil {
		return err
	}
	if before.Revision > 0 {
		change.Before = before
	}
	o.Changes = append(o.Changes, change)
	return nil
}

func (s *System) rewrapIntegrity(ctx context.Context, a gate.Approved, o *gate.Outcome, old, next *seal.Root) error {
	item, err := s.item(ctx, a, rootRef(rootIntegrity))
	if err != nil {
		return err
	}
	key, err := old.Unwrap(integrityBinding(s.storeID), item.Body)
	if err != nil {
		return fmt.Errorf("haven: integrity key: %w", err)
	}
	defer key.Destroy()
	wrapped, err := next.Wrap(integrityBinding(s.storeID), key)
	if err != nil {
		return fmt.Errorf("haven: integrity key: %w", err)
	}
	o.Changes = append(o.Changes, gate.Change{Ref: item.Ref, Before: item, Body: wrapped})
	return nil
}

// finishRotation wraps anew what the root key before the present one still wraps, then drops that
// one, in an operation that found nothing under it any more. It is resumable: each page is an
// operation of its own, tried again while master keys of the page change meanwhile. The sealing
// lock is held.
func (s *System) finishRotation(ctx context.Context) error {
	generation, unfinished := s.roots.rotating()
	for unfinished {
		// What was begun is ended, whatever a policy demands by now: it needs the permission of wrapping anew.
		page := atMachine{op: gate.RotateSeal, as: gate.Rewrap, parameters: fmt.Sprintf("from=%d", generation)}
		err := s.run(ctx, page, func(a gate.Approved) (gate.Outcome, error) {
			o, found, err := s.ring.RewrapRoot(ctx, a, generation)
			unfinished = found > 0
			if err != nil || unfinished {
				return o, err
			}
			o.Parameters = fmt.Sprintf("dropped=%d", generation)
			item, err := s.item(ctx, a, sealRef(slotPrevious))
			if err == nil && item.Revision > 0 {
				o.Changes = []gate.Change{{Ref: item.Ref, Before: item, Delete: true}}
			}
			return o, err
		})
		switch {
		case errors.Is(err, gate.Contended) && ctx.Err() == nil:
			unfinished = true
		case err != nil:
			return err
		case !unfinished:
			s.roots.drop()
		}
	}
	return nil
}

// MigrateSeal attaches a seal in a slot: in place of the one there, which must be presented as
// from and open it, or in a new slot, where from is nil. approval is as of RotateSeal.
func (s *System) MigrateSeal(ctx context.Context, name string, from, to seal.Seal, approval gate.ID) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	slots, err := s.Slots(ctx)
	if err != nil {
		return err
	}
	var present *seal.Slot
	for i := range slots {
		if slots[i].Name == name {
			present = &slots[i]
		}
	}
	var slot seal.Slot
	switch {
	case present != nil && from == nil:
		return fmt.Errorf("haven: slot %s is taken: present its seal to replace it", name)
	case present != nil:
		slot, err = s.roots.get().Migrate(ctx, *present, from, to)
	case name == slotPrevious:
		return fmt.Errorf("haven: %q is no name for a slot", name)
	default:
		slot, err = s.roots.get().Attach(ctx, name, to)
	}
	if err != nil {
		return fmt.Errorf("haven: seal %s: %w", name, err)
	}
	migrate := atMachine{op: gate.MigrateSeal, parameters: fmt.Sprintf("slot=%s;kind=%s", name, to.Kind()), approval: approval, asked: identity.SealChange{Slot: name, Kind: to.Kind()}}
	return s.run(ctx, migrate, func(a gate.Approved) (gate.Outcome, error) {
		var o gate.Outcome
		root, err := s.roots.stored(ctx, a.Reading())
		if err != nil {
			return o, err
		}
		if root.Generation() != slot.Generation {
			return o, gate.Errorf(gate.InvalidState, "the root key was rotated, and this process could not tell; start it again")
		}
		err = s.replaceSlot(ctx, a, &o, slot)
		return o, err
	})
}

// DetachSeal forgets the slot of a seal that is lost or no longer wanted. Old copies of the store
// still open with it: rotate afterwards, so that it opens nothing made later. The last slot stays.
// approval is as of RotateSeal.
func (s *System) DetachSeal(ctx context.Context, name string, approval gate.ID) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	detach := atMachine{op: gate.MigrateSeal, parameters: "detached=" + name, approval: approval, asked: identity.SealChange{Slot: name}}
	return s.run(ctx, detach, func(a gate.Approved) (gate.Outcome, error) {
		slots, err := s.Slots(ctx)
		if err != nil {
			return gate.Outcome{}, err
		}
		if !slices.ContainsFunc(slots, func(slot seal.Slot) bool { return slot.Name == name }) {
			return gate.Outcome{}, gate.Errorf(gate.NotFound, "no seal is attached in that slot; haven seal status lists them")
		}
		if len(slots) == 1 {
			return gate.Outcome{}, gate.Errorf(gate.InvalidState, "the last seal cannot be detached: attach another first, with haven seal migrate")
		}
		item, err := s.item(ctx, a, sealRef(name))
		if err != nil {
			return gate.Outcome{}, err
		}
		return gate.Outcome{Changes: []gate.Change{{Ref: item.Ref, Before: item, Delete: true}}}, nil
	})
}
