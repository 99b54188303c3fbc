package haven_test

import (
	"context"
	"errors"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/storetest"
)

// nearlyFull is a store with room for what restricts alone.
type nearlyFull struct{ store.Store }

func (s nearlyFull) Commit(ctx context.Context, b *store.Batch) error {
	if !b.Restricting {
		return store.ErrNoSpace
	}
	return s.Store.Commit(ctx, b)
}

// A server that a full disk kept from starting could revoke nothing.
func TestFullDiskKeepsNobodyFromRevoking(t *testing.T) {
	s := newMemory(t)
	seals := map[string]seal.Seal{seal.Daily: keyFile(t)}
	system := open(t, s, seals)
	key, err := system.KeyManager().CreateKey(t.Context(), keys.CreateRequest{Purpose: "Test", Type: keys.Data})
	if err := errors.Join(err, system.Close()); err != nil {
		t.Fatal(err)
	}
	system = open(t, nearlyFull{s}, seals)
	defer system.Close()
	km := system.KeyManager()
	if _, err := km.DisableKey(t.Context(), key.ID); err != nil {
		t.Error(err)
	}
	if _, err := km.EnableKey(t.Context(), key.ID); !errors.Is(err, gate.NoSpace) {
		t.Errorf("enable-key: %v, want %v", err, gate.NoSpace)
	}
}

// TestFullDiskPins: a full disk does not leave the journal's end unpinned, nor a stop.
func TestFullDiskPins(t *testing.T) {
	s := newMemory(t)
	seals := map[string]seal.Seal{seal.Daily: keyFile(t)}
	if err := open(t, s, seals).Close(); err != nil {
		t.Fatal(err)
	}
	system := open(t, nearlyFull{s}, seals)
	before := pins(t, s)
	pin(t, system)
	if n := pins(t, s); n != before+1 {
		t.Errorf("pinned %d times", n-before)
	}
	if _, err := system.KeyManager().DisableKey(t.Context(), "alias/haven-master"); err != nil {
		t.Error(err)
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
	if n := pins(t, s); n != before+2 {
		t.Errorf("pinned %d times after the stop", n-before)
	}
}

// The process has to end with 74, which it does by this error.
func TestDiskThatFailsAtTheStart(t *testing.T) {
	s := newMemory(t)
	seals := map[string]seal.Seal{seal.Daily: keyFile(t)}
	if err := open(t, s, seals).Close(); err != nil {
		t.Fatal(err)
	}
	failing := storetest.NewFaulty(s)
	failing.FailCommit(1, false, store.ErrFailed)
	system, err := haven.Open(t.Context(), haven.Config{Store: failing, Seals: seals})
	if !errors.Is(err, store.ErrFailed) {
		t.Errorf("%v, want %v", err, store.ErrFailed)
	}
	if err == nil {
		system.Close()
	}
}
