package gate_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

// shelf is a cache of settings, whose loads a test can watch and interrupt.
type shelf struct {
	*gatetest.World
	cache  *gate.Cache[string, string]
	loads  map[string]int
	during func(name string) // after the snapshot was read, before it is kept
}

func newShelf(t *testing.T, size int, names ...string) *shelf {
	s := shelfOver(gatetest.New(t), size)
	for _, name := range names {
		s.Stage(gate.Change{Ref: settingNamed(name), Body: []byte(name + "1")})
	}
	return s
}

func shelfOver(w *gatetest.World, size int) *shelf {
	s := &shelf{World: w, loads: map[string]int{}, during: func(string) {}}
	id := func(b []byte, name string) []byte { return append(b, name...) }
	s.cache = gate.NewCache[string, string](s.Gate().View(), size, store.KindSetting, id, nil)
	return s
}

func settingNamed(name string) store.Ref { return store.Ref{Kind: store.KindSetting, ID: name} }

func (s *shelf) load(ctx context.Context, name string) (string, store.Epoch, error) {
	items, epoch, err := s.Gate().View().Get(ctx, settingNamed(name))
	if err != nil {
		return "", epoch, err
	}
	s.loads[name]++
	s.during(name)
	return string(items[0].Body), epoch, nil
}

// set changes a setting, in an operation of its own.
func (s *shelf) set(name, value string) {
	s.Helper()
	items, _, err := s.Gate().View().Get(background, settingNamed(name))
	if err != nil {
		s.Fatal(err)
	}
	s.Stage(gate.Change{Ref: settingNamed(name), Before: &items[0], Body: []byte(value)})
}

// read runs an operation that reads settings through the cache, and returns what its last run read
// and how often it ran.
func (s *shelf) read(between func(run, i int), names ...string) (got []string, runs int) {
	s.Helper()
	err := s.Gate().Do(background, s.Begin(gatetest.Staging), gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		runs++
		got = nil
		for i, name := range names {
			value, err := s.cache.Get(background, a.Reading(), name, s.load)
			if err != nil {
				return gate.Outcome{}, err
			}
			got = append(got, value)
			between(runs, i)
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return got, runs
}

func undisturbed(int, int) {}

func TestCache(t *testing.T) {
	s := newShelf(t, 1000, "a")
	for range 3 {
		if got, runs := s.read(undisturbed, "a"); got[0] != "a1" || runs != 1 {
			t.Fatal(got, runs)
		}
	}
	s.set("a", "a2")
	if got, runs := s.read(undisturbed, "a"); got[0] != "a2" || runs != 1 || s.loads["a"] != 2 {
		t.Errorf("%v in %d runs, %d loads", got, runs, s.loads["a"])
	}
}

// TestStaleFill: a change commits between a load's snapshot and its being kept. It is not kept.
func TestStaleFill(t *testing.T) {
	s := newShelf(t, 1000, "a")
	changed := false
	s.during = func(name string) {
		if !changed {
			changed = true
			s.set("a", "a2")
		}
	}
	if got, runs := s.read(undisturbed, "a"); got[0] != "a2" || runs != 2 {
		t.Errorf("%v in %d runs", got, runs)
	}
	if got, _ := s.read(undisturbed, "a"); got[0] != "a2" {
		t.Errorf("the cache kept %v", got)
	}
}

// TestStaleUse: what an operation used is changed and applied before it joins a batch. It runs
// again, though the epoch does not move any more while its batch is open.
func TestStaleUse(t *testing.T) {
	s := newShelf(t, 1000, "a")
	s.read(undisturbed, "a")
	got, runs := s.read(func(run, i int) {
		if run == 1 {
			s.set("a", "a2")
		}
	}, "a")
	if got[0] != "a2" || runs != 2 {
		t.Errorf("%v in %d runs", got, runs)
	}
}

// TestEarlierEpochCounts: one item from the cache, then a change of it, then another item loaded at
// the new epoch. The later load must not make the first one look fresh.
func TestEarlierEpochCounts(t *testing.T) {
	s := newShelf(t, 1000, "a", "b")
	s.read(undisturbed, "a")
	got, runs := s.read(func(run, i int) {
		if run == 1 && i == 0 {
			s.set("a", "a2")
		}
	}, "a", "b")
	if got[0] != "a2" || got[1] != "b1" || runs != 2 {
		t.Errorf("%v in %d runs", got, runs)
	}
}

// TestRefusalRunsAgain: a refusal that rests on what was changed meanwhile is not the answer.
func TestRefusalRunsAgain(t *testing.T) {
	s := newShelf(t, 1000, "a")
	runs := 0
	err := s.Gate().Do(background, s.Begin(gatetest.Staging), gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		runs++
		value, err := s.cache.Get(background, a.Reading(), "a", s.load)
		if err != nil || value == "a2" {
			return gate.Outcome{}, err
		}
		s.set("a", "a2")
		return gate.Outcome{}, gate.Errorf(gate.InvalidState, "not while it is a1")
	})
	if err != nil || runs != 2 {
		t.Errorf("answered %v after %d runs", err, runs)
	}
}

// TestLoadDuringFailure: what was loaded while a change was staged that then came to nothing is not
// kept: the load may have met the change.
func TestLoadDuringFailure(t *testing.T) {
	w, faulty := withFaults(t)
	s := shelfOver(w, 1000)
	s.Stage(gate.Change{Ref: settingNamed("a"), Body: []byte("a1")})
	failed := false
	s.during = func(string) {
		if failed {
			return
		}
		failed = true
		items, _, err := s.Gate().View().Get(background, settingNamed("a"))
		if err != nil {
			t.Fatal(err)
		}
		faulty.FailCommit(1, false, store.ErrUnavailable)
		err = s.Gate().Do(background, s.Begin(gatetest.Staging), gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
			return gate.Outcome{Changes: []gate.Change{{Ref: settingNamed("a"), Before: &items[0], Body: []byte("a2")}}}, nil
		})
		if !errors.Is(err, gate.Unavailable) {
			t.Fatal(err)
		}
	}
	for range 3 {
		if got, _ := s.read(undisturbed, "a"); got[0] != "a1" {
			t.Errorf("read %v", got)
		}
	}
	// The first run's load is not kept; that run is done again, because all was forgotten.
	if s.loads["a"] != 2 {
		t.Errorf("%d loads, want 2", s.loads["a"])
	}
}

// TestInsertedAccessItem: a credential inserted for a principal bears on every operation of that
// principal that is under way.
func TestInsertedAccessItem(t *testing.T) {
	s := newShelf(t, 1000, "a")
	person, id, _ := s.Person("second", false)
	s.Stage(person...)
	another, _, _ := s.Person("third", false)
	another[1].Also = []store.Ref{{Kind: store.KindPrincipal, ID: string(s.Admin[:])}}
	if id.IsZero() {
		t.Fatal("no principal")
	}
	_, runs := s.read(func(run, i int) {
		if run == 1 {
			s.Stage(another...)
		}
	}, "a")
	if runs != 2 {
		t.Errorf("%d runs, want a second one after the insertion", runs)
	}
}

// TestCacheIsBounded: however much is read, no more is held than was allowed.
func TestCacheIsBounded(t *testing.T) {
	const size, read = 128, 1000
	s := newShelf(t, size)
	held, most := 0, 0
	cache := gate.NewCache[int, int](s.Gate().View(), size, store.KindSetting,
		func(b []byte, i int) []byte { return binary.BigEndian.AppendUint32(b, uint32(i)) }, func(int) { held-- })
	load := func(_ context.Context, i int) (int, store.Epoch, error) {
		head, err := s.Store.Head(background)
		held++
		return i, head.Epoch, err
	}
	err := s.Gate().Do(background, s.Begin(gatetest.Staging), gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		for i := range read {
			if got, err := cache.Get(background, a.Reading(), i, load); err != nil || got != i {
				return gate.Outcome{}, fmt.Errorf("%d: %d, %w", i, got, err)
			}
			most = max(most, held)
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if held > size || most > size+1 || held < size/2 {
		t.Errorf("%d held at the end, %d at most, allowed %d", held, most, size)
	}
}

// TestEvictionUnderUse: keys that leave the cache while others use them are loaded again, and no
// use notices.
func TestEvictionUnderUse(t *testing.T) {
	w := gatetest.New(t, func(cfg *haven.Config) { cfg.CacheKeys = 1 })
	r := newRace(w, 1)
	for range 300 { // many keys on few places
		k, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "many", Type: keys.Data})
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append(r.keys, k.ID)
		c, err := w.KeyManager().Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("kept")})
		if err != nil {
			t.Fatal(err)
		}
		r.ciphertexts = append(r.ciphertexts, c.Ciphertext)
	}
	r.start(8, 0, scaled(300))
	for request, answer := range r.answers {
		if answer != "ok" {
			t.Errorf("%s was answered %s", request, answer)
		}
	}
}
