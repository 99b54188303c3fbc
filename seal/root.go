package seal

import (
	"context"
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// Root is a store's root key, unlocked. It wraps the material of master keys and the store's own
// keys (row integrity), a few dozen items: everything else hangs below those.
//
// Methods may be called from several goroutines.
type Root struct {
	store      [16]byte
	generation uint32
	material   secret.Bytes // for seals only
	key        *crypt.Key
	random     io.Reader
}

// NewRoot makes the first root key of a store. Randomness must be cryptographically secure and
// safe for concurrent use. It returns its error.
func NewRoot(store [16]byte, random io.Reader) (*Root, error) {
	return generateRoot(store, 1, random)
}

func generateRoot(store [16]byte, generation uint32, random io.Reader) (*Root, error) {
	material, err := crypt.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("seal: making a root key: %w", err)
	}
	return newRoot(store, generation, material, random)
}

func newRoot(store [16]byte, generation uint32, material secret.Bytes, random io.Reader) (*Root, error) {
	// An id of zeros is the root key's in all that it wraps.
	key, err := crypt.NewKey([16]byte{}, generation, material.Clone(), random)
	if err != nil {
		return nil, fmt.Errorf("seal: generation %d: %w", generation, err)
	}
	return &Root{store, generation, material, key, random}, nil
}

// Open unlocks a store's root key from one slot. It returns [ErrWrong] when the seal does not open
// the slot, [ErrMoved], [ErrSlot], or the seal's own error.
func Open(ctx context.Context, store [16]byte, slot Slot, s Seal, random io.Reader) (*Root, error) {
	if !slot.valid() {
		return nil, ErrSlot
	}
	if slot.Kind != s.Kind() || slot.Seal != s.ID() {
		return nil, fmt.Errorf("slot %q is for %s %q: %w", slot.Name, slot.Kind, slot.Seal, ErrWrong)
	}
	e, err := s.Unwrap(ctx, slot.Sealed)
	if err != nil {
		return nil, fmt.Errorf("opening slot %q: %w", slot.Name, err)
	}
	defer e.Destroy()
	material, err := openEnvelope(e, store, slot.Generation, slot.Name)
	if err != nil {
		return nil, fmt.Errorf("opening slot %q: %w", slot.Name, err)
	}
	return newRoot(store, slot.Generation, material, random)
}

// Generation counts the root keys of this store, from 1. It is the wrapping version in all that
// this root wraps.
func (r *Root) Generation() uint32 { return r.generation }

// Destroy zeroes the root key: the store is locked for whoever held it. Wrap and Unwrap return
// [crypt.ErrDestroyed] afterwards. It must not run while a slot is being attached.
func (r *Root) Destroy() {
	r.key.Destroy()
	r.material.Destroy()
}

// Wrap wraps material for the place the binding names, in this root's store: the binding's Store
// is set here. Errors are those of [crypt.Key.Wrap].
func (r *Root) Wrap(b blob.Binding, material secret.Bytes) (crypt.Wrapped, error) {
	b.Store = r.store
	return r.key.Wrap(b, material)
}

// Unwrap unwraps what [Root.Wrap] of the same generation wrapped for the same binding. Errors are
// those of [crypt.Key.Unwrap].
func (r *Root) Unwrap(b blob.Binding, w crypt.Wrapped) (secret.Bytes, error) {
	b.Store = r.store
	return r.key.Unwrap(b, w)
}

// Attach wraps the root key for a seal, under a name, opens the result again to be sure of it, and
// returns the slot. The caller stores it, in the place of a slot of that name if there is one. It
// returns [ErrSlot] for a bad name, [crypt.ErrDestroyed], or the seal's error.
func (r *Root) Attach(ctx context.Context, name string, s Seal) (Slot, error) {
	if !validName(name) {
		return Slot{}, ErrSlot
	}
	if r.material.Len() == 0 {
		return Slot{}, crypt.ErrDestroyed
	}
	e := envelope(r.store, r.generation, name, secret.Expose(r.material))
	defer e.Destroy()
	sealed, err := s.Wrap(ctx, e)
	if err != nil {
		return Slot{}, fmt.Errorf("sealing slot %q: %w", name, err)
	}
	slot := Slot{name, s.Kind(), s.ID(), r.generation, sealed}
	if err := r.proves(ctx, slot, s); err != nil {
		return Slot{}, err
	}
	return slot, nil
}

// proves opens a slot with a seal and says whether this root is in it.
func (r *Root) proves(ctx context.Context, slot Slot, s Seal) error {
	found, err := Open(ctx, r.store, slot, s, r.random)
	if err != nil {
		return err
	}
	defer found.Destroy()
	if found.generation != r.generation || !found.material.Equal(r.material) {
		return fmt.Errorf("slot %q holds another root key: %w", slot.Name, ErrSeals)
	}
	return nil
}

// Migrate replaces the seal of a slot: it opens the slot with its present seal and returns one of
// the same name under another. When the present seal is lost, [Root.Attach] under the slot's name
// does the same without that proof; so the caller should ask for more before. Errors are those of
// Open and Attach, or [ErrSeals] when the slot holds another root.
func (r *Root) Migrate(ctx context.Context, slot Slot, from, to Seal) (Slot, error) {
	if err := r.proves(ctx, slot, from); err != nil {
		return Slot{}, err
	}
	return r.Attach(ctx, slot.Name, to)
}

// Rotate makes the next root key and wraps it for every slot; seals are named by slot. Every
// slot's own seal must be presented and must open it to this root: an operator who no longer
// holds the recovery seal learns it now, and nothing is changed. The old root stays usable; the
// package comment says what the caller does then. It returns [ErrSeals], or the errors of Open and
// Attach.
func (r *Root) Rotate(ctx context.Context, slots []Slot, seals map[string]Seal) (*Root, []Slot, error) {
	if len(slots) == 0 || len(slots) != len(seals) {
		return nil, nil, ErrSeals
	}
	seen := make(map[string]bool, len(slots))
	for _, slot := range slots {
		s, ok := seals[slot.Name]
		if !ok || seen[slot.Name] {
			return nil, nil, fmt.Errorf("slot %q: %w", slot.Name, ErrSeals)
		}
		seen[slot.Name] = true
		if err := r.proves(ctx, slot, s); err != nil {
			return nil, nil, err
		}
	}
	next, err := generateRoot(r.store, r.generation+1, r.random)
	if err != nil {
		return nil, nil, err
	}
	renewed := make([]Slot, len(slots))
	for i, slot := range slots {
		if renewed[i], err = next.Attach(ctx, slot.Name, seals[slot.Name]); err != nil {
			next.Destroy()
			return nil, nil, err
		}
	}
	return next, renewed, nil
}
