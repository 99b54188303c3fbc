package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// MasterDue is what is to be done for a master key: see [Ring.RewrapDue].
type MasterDue struct {
	// Versions are those that wrap, or may, and no longer should.
	Versions []uint32
	// Blocked says why nothing can be done now: the key's status, or that it has no primary; "" if
	// something can.
	Blocked string
}

// RewrapDue looks at which versions of a master key wait for Rewrap. It looks at states only,
// reads no material, and leaves no record.
func (r *Ring) RewrapDue(ctx context.Context, master gate.ID) (MasterDue, error) {
	var due MasterDue
	items, _, err := r.cfg.View.Get(ctx, keyRef(master))
	if err != nil || items[0].Revision == 0 {
		return due, err
	}
	key, err := decodeKey(&items[0])
	if err != nil || key.Type != Master {
		return due, err
	}
	r.stopKey(master, &key.Life)
	q := store.Query{Kind: store.KindVersion, Index: indexWraps, Value: string(master[:]), Limit: store.MaxPage}
	for more := true; more; {
		page, err := r.cfg.View.List(ctx, q)
		if err != nil {
			return due, err
		}
		for i := range page.Items {
			v, err := decodeVersion(&page.Items[i])
			if err != nil {
				return due, err
			}
			if v.Life.Number != key.Life.Primary && v.Life.State != lifecycle.Pending {
				due.Versions = append(due.Versions, v.Life.Number)
			}
			q.After = page.Items[i].ID
		}
		more = page.More
	}
	life, _ := lifecycle.AdvanceKey(key.Life, r.cfg.View.Now()) // which whoever uses the key records
	switch {
	case life.Status() != lifecycle.Enabled:
		due.Blocked = life.Status().String()
	case key.Life.Primary == 0:
		due.Blocked = "without a primary"
	}
	return due, nil
}

// Masters calls f with each master key until it returns an error.
func (r *Ring) Masters(ctx context.Context, f func(gate.ID) error) error {
	q := store.Query{Kind: store.KindKey, Index: indexType, Value: string(Master), Limit: store.MaxPage}
	for more := true; more; {
		page, err := r.cfg.View.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if err := f(idOf(page.Items[i].ID)); err != nil {
				return err
			}
			q.After = page.Items[i].ID
		}
		more = page.More
	}
	return nil
}

// maxCounted bounds how far it is counted what a version wraps: an answer costs no more than
// reading so many items.
const maxCounted = store.MaxPage

// Wraps is how many versions of other keys and of stored keys a master version wraps, or a master key with all of its.
type Wraps struct {
	// Count is exact unless More: then there are as many at least.
	Count int  `json:"count"`
	More  bool `json:"more,omitzero"`
}

func (w *Wraps) add(n Wraps) { w.Count, w.More = w.Count+n.Count, w.More || n.More }

// count counts what a version of a master key wraps, as far as maxCounted.
func (r *Ring) count(ctx context.Context, master gate.ID, version uint32) (Wraps, error) {
	var out Wraps
	for _, kind := range r.wrappedKinds() {
		q := store.Query{Kind: kind, Index: indexWrapped, Value: wrappedIndex(master, version), Limit: maxCounted}
		page, err := r.cfg.View.List(ctx, q)
		if err != nil {
			return out, err
		}
		out.add(Wraps{len(page.Items), page.More})
	}
	return out, nil
}

// countOf tells in its document what a master key wraps.
func (r *Ring) countOf(ctx context.Context, e *edit, k *Key) error {
	if e.body.Type != Master {
		return nil
	}
	all, old, err := r.countKey(ctx, e.id, &e.body.Life)
	k.Wraps, k.RewrapLeft = &all, &old
	return err
}

// countKey counts what the versions of a master key wrap, and what those that are not the primary
// do, from the newest down: of those that wrap, which are few however often the key was rotated. It ends with the first that wraps more than is counted.
func (r *Ring) countKey(ctx context.Context, master gate.ID, life *lifecycle.Key) (all, old Wraps, err error) {
	q := store.Query{Kind: store.KindVersion, Index: indexWraps, Value: string(master[:]), Reverse: true, Limit: maxPage}
	page, err := r.cfg.View.List(ctx, q)
	if err != nil {
		return all, old, err
	}
	all.More, old.More = page.More, page.More
	for i := range page.Items {
		v, err := decodeVersion(&page.Items[i])
		if err != nil {
			return all, old, err
		}
		n, err := r.count(ctx, master, v.Life.Number)
		if err != nil {
			return all, old, err
		}
		all.add(n)
		if v.Life.Number != life.Primary {
			old.add(n)
		}
		if n.More && v.Life.Number != life.Primary {
			break
		}
	}
	return all, old, nil
}
