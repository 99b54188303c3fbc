package haven_test

import (
	"context"
	"errors"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
)

// away is a store that cannot be reached while it is told so.
type away struct {
	store.Store
	gone bool
}

func (a *away) Commit(ctx context.Context, b *store.Batch) error {
	if a.gone {
		return store.ErrUnavailable
	}
	return a.Store.Commit(ctx, b)
}

// TestWhatTheStoreDidNotTakeIsCountedFirst: operations that were refused because the store did not
// answer have no record of their own; the first frame after it answers tells how many there were.
func TestWhatTheStoreDidNotTakeIsCountedFirst(t *testing.T) {
	s := &away{Store: newMemory(t)}
	system := open(t, s, map[string]seal.Seal{seal.Daily: keyFile(t)})
	km := system.KeyManager()
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.gone = true
	for range 3 {
		if _, err := km.GenerateRandom(t.Context(), keys.RandomRequest{}); !errors.Is(err, gate.Unavailable) {
			t.Fatalf("answered without a record: %v", err)
		}
	}
	s.gone = false
	if _, err := km.GenerateRandom(t.Context(), keys.RandomRequest{}); err != nil {
		t.Fatal(err)
	}
	var told []journal.Record
	for raw, err := range s.Records(t.Context(), before.Position) {
		if err != nil {
			t.Fatal(err)
		}
		f, err := journal.DecodeFrame(raw.Data)
		if err != nil {
			t.Fatal(err)
		}
		for encoded := range f.Records() {
			r, err := journal.DecodeRecord(encoded)
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, r)
		}
	}
	if len(told) != 2 || told[0].Operation != gate.Unanswered.Number || told[0].Parameters != "count=3" ||
		told[1].Operation != gate.GenerateRandom.Number {
		t.Errorf("the journal goes on with %+v", told)
	}
	sound(t, system)
}
