package keys

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// rewrapPage is how many versions one operation wraps anew: few enough that its commit keeps nobody
// waiting for long, and that one record tells them all.
const rewrapPage = 32

// Rewrapped is what one rewrap operation did.
type Rewrapped struct {
	// Versions were wrapped anew. More tells that others are left.
	Versions int
	More     bool
	// Recovery tells that a compromised version unwrapped them.
	Recovery bool
}

// Rewrap wraps under the primary of a master key up to a page of what an older version of it still
// wraps. Call it again, as an operation of its own, while there is more: where it stands is told by
// what is still wrapped, so that it may be interrupted, and done by several at once. With the last
// page the version is marked as wrapping nothing; from then on it may expire and be destroyed.
//
// A master key that is disabled, pending deletion or without a primary refuses to.
func (m *Manager) Rewrap(ctx context.Context, c *gate.Call, master gate.ID, version uint32) (Rewrapped, error) {
	var out Rewrapped
	req := gate.Request{References: []gate.Reference{{Text: fmt.Sprintf("%s@%d", master, version)}}}
	err := m.gate.Do(ctx, c, req, func(a gate.Approved) (o gate.Outcome, err error) {
		o, out, err = m.ring.rewrap(ctx, a)
		fault.Point("keys:rewrap-staged")
		return o, err
	})
	fault.Point("keys:rewrap-durable")
	return out, err
}

// rewrap stages a page of the version that the first target names.
//
// That nothing is wrapped by the version when it is marked so holds when the mark is durable, too.
// What wraps uses the primary of the master key, and noted the key as used. Once another version
// is the primary, whatever had met the old one as such runs again; and what was durable before
// that is in the page, for the page is read after the key was.
func (r *Ring) rewrap(ctx context.Context, a gate.Approved) (o gate.Outcome, out Rewrapped, err error) {
	from := *a.Target(0)
	if from.State.Primary == from.Version || from.Material.State == lifecycle.Pending {
		return o, out, gate.Refused(from.Key, &lifecycle.Refusal{Reason: lifecycle.ReasonPrimary, Version: from.Version})
	}
	old, err := r.at(ctx, a.Reading(), &from, from.Version)
	if err != nil {
		return o, out, err
	}
	from.Domain = old
	page, err := r.below(ctx, a, from.Key, from.Version, rewrapPage)
	if err != nil {
		return o, out, err
	}
	out = Rewrapped{Versions: len(page.Items), More: page.More, Recovery: len(page.Items) > 0 && compromised(&from)}
	o.Recovery = out.Recovery && !fault.Mutant("rewrap-not-recorded-as-recovery")
	if len(page.Items) > 0 {
		if err := r.rewrapAll(ctx, a, page.Items, &from, &o); err != nil {
			return o, out, err
		}
	}
	o.Parameters = fmt.Sprintf("versions=%d", out.Versions)
	if page.More && !fault.Mutant("wraps-cleared-early") || !old.body.Life.Wraps {
		return o, out, nil
	}
	done := old.body
	done.Life.Wraps = false
	change, err := versionChange(from.Key, from.State, &done, &old.item)
	o.Changes = append(o.Changes, change)
	return o, out, err
}

// compromised tells whether a version of a master key may unwrap in recovery only.
func compromised(t *gate.Target) bool {
	return t.Material.State == lifecycle.Compromised || t.Version <= t.State.CompromisedThrough
}

// below returns a page of what a version of a master key wraps, and notes it in the reading: of
// two operations that change one of these, the later runs again.
func (r *Ring) below(ctx context.Context, a gate.Approved, master gate.ID, version uint32, limit int) (store.Page, error) {
	var out store.Page
	for _, kind := range r.wrappedKinds() {
		if out.More = len(out.Items) == limit; out.More { // there may be more of this kind
			break
		}
		q := store.Query{Kind: kind, Index: indexWrapped, Value: wrappedIndex(master, version), Limit: limit - len(out.Items)}
		page, err := r.cfg.View.List(ctx, q)
		if err != nil {
			return page, err
		}
		for i := range page.Items {
			r.cfg.View.Note(a.Reading(), page.Epoch, page.Items[i].Ref)
		}
		out.Items = append(out.Items, page.Items...)
		if out.More = page.More; out.More {
			break
		}
	}
	return out, nil
}

// rewrapAll stages each item, wrapped by the primary of the key that from names. Wrapping is a
// protecting use of it: its state must allow that.
func (r *Ring) rewrapAll(ctx context.Context, a gate.Approved, items []store.Item, from *gate.Target, o *gate.Outcome) error {
	to, err := r.Resolve(ctx, a.Reading(), gate.Encrypt, gate.Reference{Text: from.Key.String()})
	if err != nil {
		return err
	}
	if err := to.Check(lifecycle.Protect, a.Time()); err != nil {
		return err
	}
	o.Wrapping, o.WrappingVer = to.Key, to.Version
	return use(ctx, r, a, from, func(old *crypt.Key) error {
		return use(ctx, r, a, &to, func(next *crypt.Key) error {
			o.Changes = make([]gate.Change, 0, len(items)+1)
			for i := range items {
				change, err := r.rewrapItem(&items[i], old.Unwrap, next)
				if err != nil {
					return err
				}
				o.Changes = append(o.Changes, change)
			}
			return nil
		})
	})
}

// rewrapItem stages a stored version with its material wrapped anew. Nothing else of it changes,
// its due time neither.
func (r *Ring) rewrapItem(item *store.Item, unwrap func(blob.Binding, crypt.Wrapped) (secret.Bytes, error), next Wrapping) (gate.Change, error) {
	if c := r.childOf(item.Kind); c != nil {
		return rewrapChild(c, item, unwrap, next)
	}
	v, err := decodeVersion(item)
	if err != nil {
		return gate.Change{}, err
	}
	id := idOf(item.ID)
	b := r.binding(id, v.Life.Number, v.Spec, v.Usage)
	material, err := unwrapped(unwrap(b, v.wrapped))
	if err != nil {
		return gate.Change{}, err
	}
	defer material.Destroy()
	if v.wrapped, err = next.Wrap(b, material); err != nil {
		return gate.Change{}, err
	}
	if v.by, v.byVer, err = crypt.WrappingKeyOf(v.wrapped); err != nil {
		return gate.Change{}, err
	}
	change, err := versionChange(id, lifecycle.Key{}, v, item)
	change.Due = item.Due
	return change, err
}

// rewrapChild does the same with the item of another domain.
func rewrapChild(c Child, item *store.Item, unwrap func(blob.Binding, crypt.Wrapped) (secret.Bytes, error), next Wrapping) (gate.Change, error) {
	b, wrapped, err := c.Wrapped(item)
	if err != nil {
		return gate.Change{}, err
	}
	value, err := unwrapped(unwrap(b, wrapped))
	if err != nil {
		return gate.Change{}, err
	}
	defer value.Destroy()
	w, err := next.Wrap(b, value)
	if err != nil {
		return gate.Change{}, err
	}
	by, version, err := crypt.WrappingKeyOf(w)
	if err != nil {
		return gate.Change{}, err
	}
	return c.Rewrapped(item, w, wrappedIndex(by, version))
}

// RewrapRoot stages wrapping anew, under the present root key, of up to a page of what an earlier
// generation of it wraps. Call it again, in an operation of its own, until it finds none: only an
// operation that finds none may forget that generation, for what is durable after it noted the
// present one, as [Root.Present] has it.
func (r *Ring) RewrapRoot(ctx context.Context, a gate.Approved, generation uint32) (o gate.Outcome, found int, err error) {
	root, err := r.cfg.Root.Present(ctx, a.Reading())
	if err != nil {
		return gate.Outcome{}, 0, err
	}
	page, err := r.below(ctx, a, gate.ID{}, generation, rewrapPage)
	if err != nil {
		return gate.Outcome{}, 0, err
	}
	for i := range page.Items {
		change, err := r.rewrapItem(&page.Items[i], r.cfg.Root.Unwrap, root)
		if err != nil {
			return gate.Outcome{}, 0, err
		}
		o.Changes = append(o.Changes, change)
	}
	o.Parameters = fmt.Sprintf("versions=%d", len(page.Items))
	return o, len(page.Items), nil
}
