package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// Child is what master keys wrap besides the versions of keys: items of another domain, found by what
// wraps them at the same place of the index. They are wrapped anew with the versions.
type Child interface {
	// Wrapped returns what is wrapped in an item, and for where.
	Wrapped(item *store.Item) (blob.Binding, crypt.Wrapped, error)
	// Rewrapped stages the item with that wrapped anew, and its new value of the index.
	Rewrapped(item *store.Item, w crypt.Wrapped, index string) (gate.Change, error)
}

// Children gives the ring what its master keys wrap besides versions, by kind of item. It is called once,
// before the ring is used.
func (r *Ring) Children(kind store.Kind, c Child) { r.children = append(r.children, child{kind, c}) }

type child struct {
	kind store.Kind
	Child
}

// wrappedKinds are the kinds of items that master keys wrap.
func (r *Ring) wrappedKinds() []store.Kind {
	kinds := []store.Kind{store.KindVersion}
	for _, c := range r.children {
		kinds = append(kinds, c.kind)
	}
	return kinds
}

// childOf returns who knows items of a kind; nil for versions of keys.
func (r *Ring) childOf(kind store.Kind) Child {
	for _, c := range r.children {
		if c.kind == kind {
			return c.Child
		}
	}
	return nil
}

// Master returns the id of the master key that a request names; the default one for "".
func (r *Ring) Master(ctx context.Context, a gate.Approved, text string) (gate.ID, error) {
	return r.masterOf(ctx, a, text)
}

// WrapValue wraps a value of another domain under the primary of a master key, for where the binding says
// it belongs, and tells the index value by which its item is found.
func (r *Ring) WrapValue(ctx context.Context, a gate.Approved, master gate.ID, b blob.Binding, value secret.Bytes) (crypt.Wrapped, string, error) {
	if master.IsZero() {
		return nil, "", gate.Errorf(gate.InvalidRequest, "a value is wrapped by a master key")
	}
	w, by, version, err := r.wrapFor(ctx, a, master, b, value)
	return w, wrappedIndex(by, version), err
}

// UnwrapValue undoes WrapValue. What stops the master key stops what it wraps; a master version that was
// compromised by itself still unwraps until what it wraps is wrapped anew, and recovery tells so.
func (r *Ring) UnwrapValue(ctx context.Context, a gate.Approved, b blob.Binding, w crypt.Wrapped) (value secret.Bytes, recovery bool, err error) {
	by, version, err := crypt.WrappingKeyOf(w)
	if err != nil {
		return value, false, gate.Errorf(gate.Tampered, "what is stored cannot be read; run haven fsck")
	}
	t := gate.Target{Wrapping: by, WrappingVer: version}
	if err := r.above(ctx, a.Reading(), &t); err != nil {
		return value, false, err
	}
	if err := t.CheckMaster(a.Time()); err != nil {
		return value, false, ofMaster(gate.ID(by), err)
	}
	master, err := r.version(ctx, a.Reading(), by, version)
	if err != nil {
		return value, false, missingMaster(err)
	}
	opened, own, err := r.material(ctx, a, by, master, false)
	if err != nil {
		return value, false, err
	}
	if own {
		defer opened.Destroy()
	}
	wrapping, ok := opened.(*crypt.Key)
	if !ok {
		return value, false, gate.Errorf(gate.Tampered, "what wraps the value is no master key; run haven fsck")
	}
	value, err = wrapping.Unwrap(b, w)
	if errors.Is(err, crypt.ErrDestroyed) { // it left the cache meanwhile
		if opened, _, err = r.material(ctx, a, by, master, true); err != nil {
			return value, false, err
		}
		defer opened.Destroy()
		value, err = opened.(*crypt.Key).Unwrap(b, w)
	}
	value, err = unwrapped(value, err)
	return value, t.Recovery, err
}

// ofMaster tells that a value cannot be had because of its master key: that of a key would name the key.
func ofMaster(master gate.ID, err error) error {
	var e *gate.Error
	if !errors.As(err, &e) || e.Code != gate.InvalidState || e.Key != (gate.ID{}) {
		return err
	}
	told := *e
	told.Key = master
	told.Detail = fmt.Sprintf("the value cannot be had while its master key %s is stopped (%s): enable, cancel the deletion of, or rotate the master key", master, e.Reason)
	return &told
}
