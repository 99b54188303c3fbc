package gate_test

import (
	"context"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/store"
)

// readComposed runs an operation that reads a value made of the settings a and b, and returns what
// its last run read and how often it ran.
func (s *shelf) readComposed(between func(run int)) (got string, runs int) {
	s.Helper()
	load := func(ctx context.Context, name string) (string, gate.Rests, error) {
		b := settingNamed("b")
		items, epoch, err := s.Gate().View().Get(ctx, settingNamed(name), b)
		if err != nil {
			return "", gate.Rests{}, err
		}
		s.loads[name]++
		s.during(name)
		return string(items[0].Body) + string(items[1].Body), gate.Rests{On: []store.Ref{b}, Epoch: epoch}, nil
	}
	err := s.Gate().Do(background, s.Begin(gatetest.Staging), gate.Request{}, func(a gate.Approved) (o gate.Outcome, err error) {
		runs++
		got, err = s.cache.GetComposed(background, a.Reading(), "a", load)
		between(runs)
		return o, err
	})
	if err != nil {
		s.Fatal(err)
	}
	return got, runs
}

// TestComposed: what a value is made of counts like the item it is cached by: when it changed before
// the operation began, while it ran, and while the value was loaded.
func TestComposed(t *testing.T) {
	s := newShelf(t, 1000, "a", "b")
	nothing := func(int) {}
	for range 3 {
		if got, runs := s.readComposed(nothing); got != "a1b1" || runs != 1 || s.loads["a"] != 1 {
			t.Fatalf("%s in %d runs, %d loads", got, runs, s.loads["a"])
		}
	}
	s.set("b", "b2")
	if got, runs := s.readComposed(nothing); got != "a1b2" || runs != 1 {
		t.Errorf("after a change: %s in %d runs", got, runs)
	}
	got, runs := s.readComposed(func(run int) {
		if run == 1 {
			s.set("b", "b3")
		}
	})
	if got != "a1b3" || runs != 2 {
		t.Errorf("after a change while it ran: %s in %d runs", got, runs)
	}
	s.set("a", "a2")
	changed := false
	s.during = func(string) {
		if !changed {
			changed = true
			s.set("b", "b4")
		}
	}
	if got, runs := s.readComposed(nothing); got != "a2b4" || runs != 2 {
		t.Errorf("after a change while it was loaded: %s in %d runs", got, runs)
	}
}
