package gate

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// MAC authenticates a message under the store's integrity key. haven.go wires it: the gate never
// sees the key.
type MAC func(message []byte) [32]byte

// View is the gate's reading side: what domains load items through. Everything it returns was
// checked against its MAC; what fails the check is an error, not an item.
type View struct {
	store    store.Store
	mac      MAC
	storeID  ID
	time     *Timeline
	recent   *recent
	stops    *stops
	mu       sync.Mutex
	caches   []wiper
	tampered func(store.Ref)

	// As found at the opening; the sequencer goes on from them.
	head   store.Head
	access setHash
}

type wiper interface {
	wipe(print)
	wipeAll()
}

func (v *View) register(w wiper) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.caches = append(v.caches, w)
}

// touch makes a change known to readers: noted first, then wiped, so that a load that raced with
// it is not kept. undo is for a change that came to nothing.
func (v *View) touch(ref store.Ref, epoch uint64) (undo func()) {
	p := v.recent.print(ref)
	undo = v.recent.touch(p, epoch)
	for _, c := range v.caches {
		c.wipe(p)
	}
	return undo
}

// forget drops everything cached; reads before epoch count as stale.
func (v *View) forget(epoch uint64) {
	v.recent.reset(epoch)
	for _, c := range v.caches {
		c.wipeAll()
	}
}

// Now returns the time that deadlines are compared with.
func (v *View) Now() time.Time { return v.time.Now() }

// Time returns the view's timeline.
func (v *View) Time() *Timeline { return v.time }

// Get returns the items named, from one snapshot, checked; one that does not exist has revision
// 0. Nothing is noted in a Reading: who decides anything by an item goes through a [Cache] or
// notes it with [View.Note].
func (v *View) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := v.store.Get(ctx, refs...)
	if err != nil {
		return nil, epoch, asError(err)
	}
	for i := range items {
		if items[i].Revision == 0 {
			continue
		}
		if err := v.check(&items[i]); err != nil {
			return nil, epoch, err
		}
	}
	return items, epoch, nil
}

// Note adds items that were read uncached, at epoch, to what an operation used.
func (v *View) Note(r *Reading, epoch store.Epoch, refs ...store.Ref) {
	for _, ref := range refs {
		r.add(v.recent.print(ref))
	}
	r.lower(epoch.N)
}

// List returns one page, each item checked.
func (v *View) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := v.store.List(ctx, q)
	return v.checked(page, err)
}

func (v *View) checked(page store.Page, err error) (store.Page, error) {
	if err != nil {
		return store.Page{}, asError(err)
	}
	for i := range page.Items {
		if err := v.check(&page.Items[i]); err != nil {
			return store.Page{}, err
		}
	}
	return page, nil
}

// Due returns one page of what something is to be done about, each item checked.
func (v *View) Due(ctx context.Context, q store.DueQuery) (store.Page, error) {
	page, err := v.store.Due(ctx, q)
	return v.checked(page, err)
}

// Position returns how many records the journal has.
func (v *View) Position(ctx context.Context) (uint64, error) {
	head, err := v.store.Head(ctx)
	if err != nil {
		return 0, asError(err)
	}
	return head.Position, nil
}

// Records yields the journal's frames from the one that holds a record on, as far as the journal goes
// when it is called. What it yields is valid until the next.
func (v *View) Records(ctx context.Context, from uint64) iter.Seq2[journal.Frame, error] {
	return func(yield func(journal.Frame, error) bool) {
		for raw, err := range v.store.Records(ctx, from) {
			if err != nil {
				yield(journal.Frame{}, asError(err))
				return
			}
			frame, err := journal.DecodeFrame(raw.Data)
			if err != nil {
				err = asError(fmt.Errorf("%w: %w", store.ErrCorrupt, err))
			}
			if !yield(frame, err) || err != nil {
				return
			}
		}
	}
}

// Stopped tells what the stops chain says of an item.
func (v *View) Stopped(ref store.Ref) Stopped { return v.stops.of(ref) }

func (v *View) check(item *store.Item) error {
	if want := v.itemMAC(item); subtle.ConstantTimeCompare(want[:], item.MAC[:]) == 1 {
		return nil
	}
	if v.tampered != nil {
		v.tampered(item.Ref)
	}
	return &Error{Code: Tampered, Detail: fmt.Sprintf("the stored %s is not what Haven wrote; it is not used. Run haven fsck", item.Kind),
		cause: fmt.Errorf("%w: %s revision %d fails its MAC", store.ErrCorrupt, item.Ref, item.Revision)}
}

const itemLabel = "haven/item/v1\x00"

// itemMAC authenticates every field of an item, each with its length, bound to this store.
func (v *View) itemMAC(item *store.Item) [32]byte {
	b := make([]byte, 0, len(itemLabel)+128+len(item.ID)+len(item.Body)+64)
	b = append(b, itemLabel...)
	b = append(b, v.storeID[:]...)
	b = append(b, byte(item.Kind))
	b = binary.BigEndian.AppendUint32(b, uint32(len(item.ID)))
	b = append(b, item.ID...)
	b = binary.BigEndian.AppendUint64(b, item.Revision)
	b = binary.BigEndian.AppendUint64(b, item.Epoch.Incarnation)
	b = binary.BigEndian.AppendUint64(b, item.Epoch.N)
	b = binary.BigEndian.AppendUint64(b, uint64(item.Due))
	for _, value := range item.Index {
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
	}
	b = append(b, item.Body...)
	return v.mac(b)
}

// storeError maps the store's errors to the taxonomy; nil for an error that is not the store's.
func storeError(err error) *Error {
	switch {
	case errors.Is(err, store.ErrNoSpace):
		return &Error{Code: NoSpace, Detail: "the disk is nearly full: only operations that restrict are accepted until there is room", cause: err}
	case errors.Is(err, store.ErrFailed):
		return &Error{Code: Unavailable, Detail: "the storage failed; the server stops", cause: err}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrUncertain), errors.Is(err, store.ErrMoved):
		return &Error{Code: Unavailable, Detail: "the store did not answer; try again, with the same Idempotency-Key for a change", cause: err}
	case errors.Is(err, store.ErrCorrupt):
		return &Error{Code: Tampered, Detail: "what is stored cannot be what Haven wrote; run haven fsck", cause: err}
	}
	return nil
}
