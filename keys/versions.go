package keys

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// maxTried bounds how many versions a call is compared with that names none; others it reaches by
// naming them.
const maxTried = 100

// unasked tells which versions a call may have meant and was not compared with.
type unasked struct {
	key     gate.ID
	stopped []string // those whose state does not allow the use, with the reason
	older   bool     // there are more than maxTried
}

func (u *unasked) any() bool { return u.older || len(u.stopped) > 0 }

// String says which they are. None of them is said to be the one.
func (u *unasked) String() string {
	const shown = 8
	var parts []string
	if n := len(u.stopped); n > shown {
		parts = append(parts, fmt.Sprintf("because of their state, %s and %d more", strings.Join(u.stopped[:shown], ", "), n-shown))
	} else if n > 0 {
		parts = append(parts, "because of their state, "+strings.Join(u.stopped, ", "))
	}
	if u.older {
		parts = append(parts, fmt.Sprintf("any but the newest %d, which are reached by KEY@N", maxTried))
	}
	return "not asked were, of key " + u.key.String() + ": " + strings.Join(parts, "; ")
}

// find calls f with each version that a call on the first target may mean, until one fits: the one
// that was named, or else the primary and then the others, newest first. Versions whose state does
// not allow the use are left out; trusted is false for one that is compromised, of which only
// signatures are looked at, and those before all others. It returns the target that fitted, nil if
// none did, and then what was not asked.
func (r *Ring) find(ctx context.Context, a gate.Approved, use lifecycle.Use, f func(t *gate.Target, trusted bool) (bool, error)) (fits *gate.Target, left unasked, err error) {
	first := a.Target(0)
	numbers, older := r.candidates(first, use)
	left = unasked{key: first.Key, older: older}
	for _, n := range numbers {
		t := *first
		version, err := r.at(ctx, a.Reading(), &t, n)
		if err != nil {
			return nil, left, err
		}
		t.Domain = version
		err = t.Check(use, a.Time())
		var refused *gate.Error
		if errors.As(err, &refused) && refused.Code == gate.InvalidState {
			left.stopped = append(left.stopped, fmt.Sprintf("version %d (%s)", n, refused.Reason))
			continue
		}
		if err != nil && !errors.Is(err, lifecycle.ErrUntrusted) {
			return nil, left, err
		}
		ok, err := f(&t, err == nil)
		if ok || err != nil {
			return &t, left, err
		}
	}
	return nil, left, nil
}

// candidates returns the versions that a target may mean, in the order in which they are asked. For a
// signature those come first that are marked as compromised: should another version have the same
// material, what it would verify is not believed. older tells that there are more than maxTried.
func (r *Ring) candidates(t *gate.Target, use lifecycle.Use) (numbers []uint32, older bool) {
	if t.Named {
		return []uint32{t.Version}, false
	}
	var doubted []uint32
	add := func(n uint32) {
		switch {
		case len(doubted)+len(numbers) == maxTried:
			older = true
		case use == lifecycle.VerifySignature && r.marked(t, n):
			doubted = append(doubted, n)
		default:
			numbers = append(numbers, n)
		}
	}
	if t.Version != 0 {
		add(t.Version)
	}
	for n := t.State.Versions; n > 0 && !older; n-- {
		if n != t.Version {
			add(n)
		}
	}
	return append(doubted, numbers...), older
}

// marked tells whether a version is marked as compromised. It reads the chain of stops, not the
// version: a mark that comes meanwhile changes the key, too, which the operation has read.
func (r *Ring) marked(t *gate.Target, n uint32) bool {
	return n <= t.State.CompromisedThrough || r.cfg.View.Stopped(versionRef(versionID{t.Key, n})).Compromised
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
