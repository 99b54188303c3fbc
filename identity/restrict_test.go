package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/store"
)

// TestRestrictsAtOnce: what takes a right away holds when the call has returned, and after a restart
// (lessons: CVE-2022-30689, enforcement lost after one).
func TestRestrictsAtOnce(t *testing.T) {
	dice := statement("Allow", "kms:GenerateRandom")
	without := statement("Allow", "kms:Encrypt")
	for what, c := range map[string]struct {
		give, take func(i haven) error
	}{
		"a policy is updated": {func(i haven) error { return i.attach("dice", "clerk", "") }, func(i haven) error { return i.update(identity.PolicyRequest{Policy: "dice"}, without) }},
		"a policy comes to deny": {func(i haven) error { return i.attach("dice", "clerk", "") }, func(i haven) error {
			return i.update(identity.PolicyRequest{Policy: "dice"}, statement("Deny", "kms:GenerateRandom"))
		}},
		"a policy is detached": {func(i haven) error { return i.attach("dice", "clerk", "") }, func(i haven) error { return i.detach("dice", "clerk", "") }},
		"a policy that denies": {func(i haven) error { return i.attach("dice", "clerk", "") }, func(i haven) error { return i.attach("deny", "clerk", "") }},
		"an inline policy is updated": {func(i haven) error { return i.create("own", dice, "clerk") }, func(i haven) error {
			return i.update(identity.PolicyRequest{Policy: "own", Principal: "clerk"}, without)
		}},
		"an inline policy is deleted": {func(i haven) error { return i.create("own", dice, "clerk") }, func(i haven) error { return i.remove(identity.PolicyRequest{Policy: "own", Principal: "clerk"}) }},
		"an inline policy that denies": {func(i haven) error { return i.create("own", dice, "clerk") }, func(i haven) error {
			return i.create("not", statement("Deny", "kms:GenerateRandom"), "clerk")
		}},
		"a boundary is set": {func(i haven) error { return i.attach("dice", "clerk", "") }, func(i haven) error { return i.attach("without", "clerk", identity.Boundary) }},
		"a boundary is another": {func(i haven) error {
			return errors.Join(i.attach("dice", "clerk", ""), i.attach("dice", "clerk", identity.Boundary))
		}, func(i haven) error { return i.attach("without", "clerk", identity.Boundary) }},
		"a boundary is updated": {func(i haven) error {
			return errors.Join(i.create("own", dice, "clerk"), i.attach("dice", "clerk", identity.Boundary))
		}, func(i haven) error { return i.update(identity.PolicyRequest{Policy: "dice"}, without) }},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			clerk := p.person(identity.User, "clerk")
			p.policy("dice", dice)
			p.policy("deny", statement("Deny", "kms:GenerateRandom"))
			p.policy("without", without)
			p.refused("before", gate.AccessDenied, p.random(clerk))
			p.must(c.give(haven{p.Identity()}))
			p.must(p.random(clerk))
			p.must(c.take(haven{p.Identity()}))
			p.refused("at once", gate.AccessDenied, p.random(clerk))
			p.Reopen()
			p.refused("after a restart", gate.AccessDenied, p.random(clerk))
		})
	}
}

// TestDeletedWhileAttached: of a deletion and an attachment at the same time, one is refused: nobody is
// left with a policy that there is not.
func TestDeletedWhileAttached(t *testing.T) {
	p := newPlace(t)
	clerk := p.person(identity.User, "clerk")
	i := haven{p.Identity()}
	deleted := 0
	for n := range 50 {
		name := fmt.Sprint("p", n)
		p.policy(name, statement("Allow", "kms:GenerateRandom"))
		var attached, gone error
		var both sync.WaitGroup
		both.Go(func() { attached = i.attach(name, "clerk", "") })
		both.Go(func() { gone = i.remove(identity.PolicyRequest{Policy: name}) })
		both.Wait()
		switch {
		case attached == nil && errors.Is(gone, gate.Conflict):
			p.must(p.random(clerk))
			p.must(i.detach(name, "clerk", ""))
		case errors.Is(attached, gate.NotFound) && gone == nil:
			deleted++
			p.refused("nothing is attached", gate.AccessDenied, p.random(clerk))
		default:
			t.Fatalf("attaching: %v, deleting: %v", attached, gone)
		}
	}
	t.Logf("%d of 50 were deleted", deleted)
}

// work is a right that clients try while it is given and taken away. given is odd while it may hold: it
// moves before a giving call and after a taking one.
type work struct {
	given      atomic.Uint64
	give, take func() error
	try        func() error
}

// TestNobodyOutlivesARestriction: 64 clients work while policies, boundaries, groups, tags, key policies, grants,
// credentials and roles change at random. No
// operation that began after a restricting call returned succeeds until another call gives again.
func TestNobodyOutlivesARestriction(t *testing.T) {
	rounds := 30
	if os.Getenv("HAVEN_CI") == "1" {
		rounds = 500
	}
	p := newPlace(t)
	p.policy("dice", statement("Allow", "kms:GenerateRandom"))
	p.policy("shared", statement("Allow", "kms:Encrypt"))
	p.policy("without", statement("Allow", "kms:Encrypt"))
	p.policy("assume", statement("Allow", "sts:AssumeRole"))
	clerk := p.person(identity.User, "clerk")
	i := haven{p.Identity()}
	p.must(i.attach("assume", "clerk", ""))
	var all []*work
	for n := range 2 {
		for kind, make := range p.rights(clerk) {
			all = append(all, make(fmt.Sprint(strings.ReplaceAll(kind, " ", "-"), n)))
		}
	}
	var stop atomic.Bool
	var allowed, denied atomic.Uint64
	var clients, changers sync.WaitGroup
	for n := range 64 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for !stop.Load() {
				w := all[random.IntN(len(all))]
				before := w.given.Load()
				switch err := w.try(); {
				case err == nil:
					allowed.Add(1)
					if before%2 == 0 && w.given.Load() == before {
						t.Errorf("somebody did what had been taken away")
					}
				case errors.Is(err, gate.AccessDenied), errors.Is(err, gate.Unauthenticated):
					denied.Add(1)
				case !errors.Is(err, gate.Contended):
					t.Errorf("a client: %v", err)
				}
			}
		})
	}
	for n, w := range all {
		changers.Go(func() {
			for range rounds {
				w.given.Add(1)
				again(t, w.give)
				if n == 0 { // what everybody rests on moves as well
					again(t, func() error {
						return i.update(identity.PolicyRequest{Policy: "shared"}, statement("Allow", "kms:Encrypt"))
					})
				}
				again(t, w.take)
				w.given.Add(1)
			}
		})
	}
	changers.Wait()
	stop.Store(true)
	clients.Wait()
	if allowed.Load() == 0 || denied.Load() == 0 {
		t.Errorf("%d were allowed, %d denied", allowed.Load(), denied.Load())
	}
	t.Logf("%d were allowed, %d denied", allowed.Load(), denied.Load())
}

// again does a change until it is not contended.
func again(t *testing.T, do func() error) {
	for {
		err := do()
		if err == nil {
			return
		}
		if !errors.Is(err, gate.Contended) {
			t.Errorf("a change: %v", err)
			return
		}
	}
}

// TestPolicyMissing: nothing is decided about a principal without a policy that it has: who took the
// policy away may have taken a denial away.
func TestPolicyMissing(t *testing.T) {
	p := newPlace(t)
	p.Damaged = true
	clerk := p.person(identity.User, "clerk")
	p.policy("dice", statement("Allow", "kms:GenerateRandom"))
	made := p.policy("deny", statement("Deny", "kms:Decrypt"))
	p.attach("dice", "clerk", identity.Own)
	p.attach("deny", "clerk", identity.Own)
	p.must(p.random(clerk))
	item := stored(p.World, store.Ref{Kind: store.KindPolicy, ID: string(made.ID[:])})
	p.Stage(gate.Change{Ref: item.Ref, Before: item, Delete: true})
	p.refused("a policy is missing", gate.Tampered, p.random(clerk))
}
