package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
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

// TestNobodyOutlivesARestriction: 64 clients work while policies and boundaries change at random. No
// operation that began after a restricting call returned succeeds until another call gives again.
func TestNobodyOutlivesARestriction(t *testing.T) {
	rounds := 60
	if os.Getenv("HAVEN_CI") == "1" {
		rounds = 1500
	}
	p := newPlace(t)
	p.policy("dice", statement("Allow", "kms:GenerateRandom"))
	p.policy("shared", statement("Allow", "kms:Encrypt"))
	p.policy("without", statement("Allow", "kms:Encrypt"))
	i := haven{p.Identity()}
	dice, without := statement("Allow", "kms:GenerateRandom"), statement("Allow", "kms:Encrypt")
	var all []*work
	for n := range 8 {
		name := fmt.Sprint("clerk", n)
		id := p.person(identity.User, name)
		w := &work{try: func() error {
			_, err := p.As(id).KeyManager().GenerateRandom(background, keys.RandomRequest{Bytes: 1})
			return err
		}}
		own := identity.PolicyRequest{Policy: "own", Principal: name}
		switch n % 4 {
		case 0:
			w.give, w.take = func() error { return i.attach("dice", name, "") }, func() error { return i.detach("dice", name, "") }
		case 1:
			p.must(i.create("own", without, name))
			w.give, w.take = func() error { return i.update(own, dice) }, func() error { return i.update(own, without) }
		case 2:
			w.give, w.take = func() error { return i.create("own", dice, name) }, func() error { return i.remove(own) }
		case 3:
			p.must(i.attach("dice", name, ""))
			p.must(i.attach("without", name, identity.Boundary))
			w.give, w.take = func() error { return i.detach("without", name, identity.Boundary) }, func() error { return i.attach("without", name, identity.Boundary) }
		}
		all = append(all, w)
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
				case errors.Is(err, gate.AccessDenied):
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
					again(t, func() error { return i.update(identity.PolicyRequest{Policy: "shared"}, without) })
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
