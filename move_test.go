package haven_test

import (
	"context"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// committing is a store that calls what it was given behind its next commit.
type committing struct {
	*memory.Store
	then func()
}

func (s *committing) Commit(ctx context.Context, b *store.Batch) error {
	err := s.Store.Commit(ctx, b)
	if then := s.then; then != nil && err == nil {
		s.then = nil
		then()
	}
	return err
}

// TestInterruptedMove: a key of which a change of master left versions behind says so, in what
// describes and lists it and in the error, until the same request has taken them along.
func TestInterruptedMove(t *testing.T) {
	s := &committing{Store: memory.New(1)}
	f := newFamily(t, 1, func(cfg *haven.Config) { cfg.Store = s })
	k := f.children[0].ID
	for range 39 {
		_, err := f.km.RotateKey(background, k)
		f.must(err)
	}
	var masters [2]string
	for i := range masters {
		m, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "wraps, too", Type: keys.Master})
		f.must(err)
		masters[i] = m.ID
	}
	move := func(ctx context.Context, to string) (*keys.Key, error) {
		return f.km.UpdateKey(ctx, keys.UpdateRequest{Key: k, Master: to})
	}
	moving := func(want bool, left map[string]int) {
		t.Helper()
		shown, err := f.km.DescribeKey(background, k)
		f.must(err)
		page, err := f.km.ListKeys(background, keys.ListRequest{Type: keys.Data})
		f.must(err)
		if shown.Moving != want || len(page.Keys) != 1 || page.Keys[0].Moving != want {
			t.Errorf("described: %t, listed: %t, want %t", shown.Moving, page.Keys[0].Moving, want)
		}
		for master, count := range left {
			m, err := f.km.DescribeKey(background, master)
			f.must(err)
			if m.Wraps.Count != count {
				t.Errorf("master %s wraps %d, want %d", master, m.Wraps.Count, count)
			}
		}
		f.must(f.decrypt(0)) // by version 1, which moves last
	}

	ctx, cancel := context.WithCancel(background)
	defer cancel()
	s.then = cancel
	if _, err := move(ctx, masters[0]); err == nil {
		t.Fatal("it was not interrupted")
	}
	moving(true, map[string]int{f.master: 8, masters[0]: 32})

	// On to a third: the versions left behind cannot come while their master is stopped.
	_, err := f.km.DisableKey(background, f.master)
	f.must(err)
	if _, err := move(background, masters[1]); reason(err) != "invalid_state master_disabled" || !strings.Contains(err.Error(), "same update-key") {
		t.Errorf("from a master that is disabled: %v", err)
	}
	_, err = f.km.EnableKey(background, f.master)
	f.must(err)
	moving(true, map[string]int{f.master: 8, masters[0]: 0, masters[1]: 32})

	moved, err := move(background, masters[1])
	if err != nil || moved.Moving {
		t.Errorf("taken up again: %+v, %v", moved, err)
	}
	moving(false, map[string]int{f.master: 0, masters[0]: 0, masters[1]: 40})
	if whole, err := move(background, masters[0]); err != nil || whole.Moving {
		t.Errorf("moved in one call: %+v, %v", whole, err)
	}
	moving(false, map[string]int{masters[0]: 40, masters[1]: 0})
}
