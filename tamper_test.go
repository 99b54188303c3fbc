package haven_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
)

// TestRecordsCutOffAfterAStopAreMissed puts the journal back to how it was before a session of
// nothing but uses, which change no item of the store.
func TestRecordsCutOffAfterAStopAreMissed(t *testing.T) {
	cfg := haven.Config{DataDir: filepath.Join(t.TempDir(), "data")}
	start := func() *haven.System {
		s, err := haven.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := start()
	w := write(t, first)
	sound(t, first)
	second := start()
	before := filepath.Join(t.TempDir(), "journal")
	if err := os.CopyFS(before, os.DirFS(filepath.Join(cfg.DataDir, "journal"))); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		read(t, second, w)
	}
	sound(t, second)

	live := filepath.Join(cfg.DataDir, "journal")
	if err := os.RemoveAll(live); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(live, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(before)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d files copied: %v", len(entries), err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(before, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(live, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := haven.Open(t.Context(), cfg); !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("opened with the records of twenty decryptions cut off: %v", err)
	}
}

// without is a store from which one item was deleted by who can write it.
type without struct {
	store.Store
	ref store.Ref
}

func (w without) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := w.Store.Get(ctx, refs...)
	for i := range items {
		if refs[i] == w.ref {
			items[i] = store.Item{Ref: w.ref}
		}
	}
	return items, epoch, err
}

func TestADeletedVersionIsTamperingAndNotTheCallersFault(t *testing.T) {
	s, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	system := open(t, s, seals)
	key, err := system.KeyManager().CreateKey(t.Context(), keys.CreateRequest{Purpose: "Patient data", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := system.KeyManager().Encrypt(t.Context(), keys.EncryptRequest{Key: key.ID, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	sound(t, system)
	id, _ := gate.ParseID(key.ID)
	missing := without{s, store.Ref{Kind: store.KindVersion, ID: string(id[:]) + "\x00\x00\x00\x01"}}
	system = open(t, missing, seals)
	defer system.Close()
	if _, err := system.KeyManager().Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: sealed.Ciphertext}); !errors.Is(err, gate.Tampered) {
		t.Errorf("decrypting with a version that was deleted: %v, want tampered", err)
	}
}

// altered is a store in which the item that says what the store is was changed.
type altered struct{ store.Store }

func (a altered) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := a.Store.Get(ctx, refs...)
	for i := range items {
		if refs[i] == (store.Ref{Kind: store.KindRoot, ID: "store"}) {
			items[i].Body = append([]byte(" "), items[i].Body...)
		}
	}
	return items, epoch, err
}

func TestTheStoresOwnItemIsChecked(t *testing.T) {
	s, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	sound(t, open(t, s, seals))
	if _, err := haven.Open(t.Context(), haven.Config{Store: altered{s}, Seals: seals}); !errors.Is(err, gate.Tampered) {
		t.Errorf("opened with its own item altered: %v", err)
	}
	gone := without{s, store.Ref{Kind: store.KindRoot, ID: "store"}}
	if _, err := haven.Open(t.Context(), haven.Config{Store: gone, Seals: seals}); !errors.Is(err, gate.Tampered) {
		t.Errorf("opened with its own item deleted: %v", err)
	}
}

func TestFsckLeavesNoRecord(t *testing.T) {
	s, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	sound(t, open(t, s, seals))
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := haven.Fsck(t.Context(), haven.Config{Store: s, Seals: seals}, nil)
	if err != nil || len(report.Findings) > 0 || report.Records == 0 {
		t.Errorf("fsck: %+v %v", report, err)
	}
	if after, err := s.Head(t.Context()); err != nil || after != before {
		t.Errorf("fsck moved the journal from %d to %d records: %v", before.Position, after.Position, err)
	}
}

func TestACursorOfAnotherListIsRefused(t *testing.T) {
	system := open(t, newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)})
	defer sound(t, system)
	if _, err := system.KeyManager().ListKeys(t.Context(), keys.ListRequest{Cursor: "AAAA"}); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("a cursor that no list returned: %v", err)
	}
}
