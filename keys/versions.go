package keys

import (
	"context"
	"errors"
	"iter"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// maxTried bounds how many versions a call is compared with that names none; others it reaches by
// naming them.
const maxTried = 100

// find calls f with each version that a call on the first target may mean, until one fits: the one
// that was named, or else the primary and then the others, newest first. Versions whose state does
// not allow the use are left out; trusted is false for one that is compromised, of which only
// signatures are looked at. It returns the target that fitted, nil if none did; then left is not
// nil if there is one that was not asked, and tells why.
func (r *Ring) find(ctx context.Context, a gate.Approved, use lifecycle.Use, f func(t *gate.Target, trusted bool) (bool, error)) (fits *gate.Target, left, err error) {
	first := a.Target(0)
	for tried, n := range numbers(first) {
		if tried == maxTried {
			return nil, gate.Errorf(gate.InvalidState, "only the newest %d versions of key %s were asked; name the version, KEY@N", maxTried, first.Key), nil
		}
		t := *first
		version, err := r.at(ctx, a.Reading(), &t, n)
		if err != nil {
			return nil, nil, err
		}
		t.Domain = version
		err = t.Check(use, a.Time())
		if errors.Is(err, gate.InvalidState) {
			left = err
			continue
		}
		if err != nil && !errors.Is(err, lifecycle.ErrUntrusted) {
			return nil, nil, err
		}
		ok, err := f(&t, err == nil)
		if ok || err != nil {
			return &t, nil, err
		}
	}
	return nil, left, nil
}

// numbers yields the versions that a target may mean, counted from 0.
func numbers(t *gate.Target) iter.Seq2[int, uint32] {
	return func(yield func(int, uint32) bool) {
		i := 0
		if t.Version != 0 {
			if !yield(i, t.Version) || t.Named {
				return
			}
			i++
		}
		for n := t.State.Versions; n > 0; n-- {
			if n == t.Version {
				continue
			}
			if !yield(i, n) {
				return
			}
			i++
		}
	}
}

// public returns the public half of the target's version. It needs no material: it outlives it.
func (r *Ring) public(t *gate.Target) (*crypt.PublicKey, error) {
	v, ok := t.Domain.(*loadedVersion)
	if !ok {
		return nil, t.Check(lifecycle.Protect, t.Material.CreatedAt) // without a version there is no primary
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.public == nil {
		public, err := crypt.ParsePublicKey(v.body.Spec, v.body.Public)
		if err != nil {
			return nil, targetKind(t).wrongly(t.Key, err)
		}
		v.public = public
	}
	return v.public, nil
}

// targetKind returns the kind of the key that a use named; but for its type, which says nothing of
// what material does.
func targetKind(t *gate.Target) Kind {
	if v, ok := t.Domain.(*loadedVersion); ok {
		return Kind{Spec: v.body.Spec, Usage: v.body.Usage}
	}
	return t.Domain.(*loadedKey).body.kind()
}
