package haven

import (
	"context"
	"sync"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
)

// roots are the root keys that are needed: the present one, the one before it while a rotation is
// being finished, and the next while one is being recorded. Which of them wraps is not said here:
// the stored integrity key says it, by the generation that it is wrapped under.
type roots struct {
	view *gate.View // set before it is used as keys.Root

	mu                      sync.RWMutex
	present, previous, next *seal.Root
}

// openRoots opens, with the present root key, the one before it if there is one still.
func (l *Locked) openRoots(ctx context.Context, present *seal.Root) (*roots, error) {
	r := &roots{present: present}
	if l.previous == nil {
		return r, nil
	}
	var err error
	r.previous, err = seal.Open(ctx, l.storeID, *l.previous, under{present, l.storeID}, l.cfg.Random)
	return r, err
}

// Generation returns the present root key's.
func (r *roots) Generation() uint32 { return r.get().Generation() }

// get returns the present root key.
func (r *roots) get() *seal.Root {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.present
}

// rotating returns the generation that is being replaced, if there is one.
func (r *roots) rotating() (generation uint32, yes bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.previous == nil {
		return 0, false
	}
	return r.previous.Generation(), true
}

// of returns the root key of a generation, or nil.
func (r *roots) of(generation uint32) *seal.Root {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, root := range []*seal.Root{r.present, r.previous, r.next} {
		if root != nil && root.Generation() == generation {
			return root
		}
	}
	return nil
}

// offer holds the next root key ready from before its rotation is recorded: from the moment that
// is durable everything is wrapped under it, and whether it is nobody here may know yet. One whose
// recording failed stays until another is offered, for the failure may have come after it.
func (r *roots) offer(next *seal.Root) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		r.next.Destroy()
	}
	r.next = next
}

// adopt makes the next root key the present one; the one that was goes on unwrapping what it
// wrapped.
func (r *roots) adopt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present, r.previous, r.next = r.next, r.present, nil
}

// drop destroys the root key before the present one.
func (r *roots) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.previous.Destroy()
	r.previous = nil
}

func (r *roots) destroy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, root := range []*seal.Root{r.present, r.previous, r.next} {
		if root != nil {
			root.Destroy()
		}
	}
}

// Present implements keys.Root: it takes the root key that the stored integrity key is wrapped
// under, and notes that item, which every rotation changes. So an operation either is durable
// before a rotation, which then finds what it wrapped, or runs again and wraps under the new one.
func (r *roots) Present(ctx context.Context, reading *gate.Reading) (keys.Wrapping, error) {
	root, err := r.stored(ctx, reading)
	if err != nil {
		return nil, err
	}
	return root, nil
}

func (r *roots) stored(ctx context.Context, reading *gate.Reading) (*seal.Root, error) {
	ref := rootRef(rootIntegrity)
	items, epoch, err := r.view.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !fault.Mutant("root-key-not-noted") {
		r.view.Note(reading, epoch, ref)
	}
	if items[0].Revision == 0 || fault.Mutant("root-key-from-memory") { // the store is being founded
		return r.get(), nil
	}
	_, generation, err := crypt.WrappingKeyOf(items[0].Body)
	if err != nil {
		return nil, err
	}
	if root := r.of(generation); root != nil {
		return root, nil
	}
	return nil, gate.Errorf(gate.Contended, "the root key was rotated meanwhile; try again")
}

// Unwrap implements keys.Root: it takes the root key whose generation the wrapping names.
func (r *roots) Unwrap(b blob.Binding, w crypt.Wrapped) (secret.Bytes, error) {
	_, generation, err := crypt.WrappingKeyOf(w)
	if err != nil {
		return r.get().Unwrap(b, w) // which says what is wrong with it
	}
	if root := r.of(generation); root != nil {
		return root.Unwrap(b, w)
	}
	return r.get().Unwrap(b, w)
}
