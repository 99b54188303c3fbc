package haven_test

import (
	"context"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
)

// meanwhile is a store that calls do once, when its head is read next: a committer reads it after
// it closed a batch, so what comes then comes behind that batch.
type meanwhile struct {
	store.Store
	do chan func()
}

func (m *meanwhile) Head(ctx context.Context) (store.Head, error) {
	select {
	case do := <-m.do:
		do()
	default:
	}
	return m.Store.Head(ctx)
}

// pins returns how often the journal's end was pinned.
func pins(t *testing.T, s store.Store) uint64 {
	t.Helper()
	items, _, err := s.Get(t.Context(), store.Ref{Kind: store.KindSetting, ID: "pin"})
	if err != nil {
		t.Fatal(err)
	}
	return items[0].Revision
}

func pin(t *testing.T, system *haven.System) {
	t.Helper()
	if err := system.Pin(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestPin: a pin writes when there are records that no pin covers, and only then. One that came
// while the end was being pinned stands behind the pin and makes the next one due.
func TestPin(t *testing.T) {
	s := &meanwhile{newMemory(t), make(chan func(), 1)}
	system := open(t, s, map[string]seal.Seal{seal.Daily: keyFile(t)})
	random := func() error {
		_, err := system.KeyManager().GenerateRandom(context.Background(), keys.RandomRequest{})
		return err
	}
	pin(t, system)
	first := pins(t, s)
	if first == 0 {
		t.Fatal("a system that began was not pinned")
	}
	pin(t, system)
	if pins(t, s) != first {
		t.Error("pinned again, though nothing was recorded")
	}
	for range 2000 { // whether the other operation returns before the pin does is chance
		if err := random(); err != nil {
			t.Fatal(err)
		}
		other := make(chan error, 1)
		s.do <- func() { go func() { other <- random() }() }
		pin(t, system)
		if err := <-other; err != nil {
			t.Fatal(err)
		}
		before := pins(t, s)
		pin(t, system)
		if pins(t, s) == before {
			t.Fatal("a record behind the last pin does not make the next one due")
		}
	}
	sound(t, system)
}

// TestPinOfTime: the end is pinned, though nothing came, when the clock's alarm begins or ends to
// stand and once an hour, so that a start after a kill knows both.
func TestPinOfTime(t *testing.T) {
	s, c := newMemory(t), clock.NewManual(time.Now())
	system, err := haven.Open(t.Context(), haven.Config{Store: s, Clock: c, Seals: map[string]seal.Seal{seal.Daily: keyFile(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	pin(t, system)
	for name, test := range map[string]struct {
		pass, step time.Duration
		due        bool
	}{
		"a minute": {pass: time.Minute}, "an hour": {pass: time.Hour, due: true}, "a jump": {step: time.Hour, due: true},
	} {
		before := pins(t, s)
		c.Advance(test.pass)
		c.Step(test.step)
		pin(t, system)
		if due := pins(t, s) > before; due != test.due {
			t.Errorf("%s: pinned %v", name, due)
		}
		c.Step(-test.step)
		pin(t, system)
	}
	sound(t, system)
}
