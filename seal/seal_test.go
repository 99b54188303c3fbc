package seal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
)

var (
	storeA  = [16]byte{0xa}
	storeB  = [16]byte{0xb}
	binding = blob.Binding{Purpose: "integrity key", ID: "integrity"}
)

// remoteKey is another system's key: what a cloud is to the keeper.
type remoteKey struct {
	key  *crypt.Key
	down error
}

func (k *remoteKey) Encrypt(_ context.Context, b []byte) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	return k.key.Encrypt(blob.Context{}, b)
}

func (k *remoteKey) Decrypt(_ context.Context, b []byte) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	return k.key.Decrypt(blob.Context{}, b)
}

func newRemoteKey(t testing.TB) *remoteKey {
	t.Helper()
	material, err := crypt.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := crypt.NewKey([16]byte{1}, 1, material, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &remoteKey{key: k}
}

func passphrase(t testing.TB, words string) *seal.Passphrase {
	t.Helper()
	p, err := seal.NewPassphrase(secret.New([]byte(words)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func keyFile(t testing.TB) *seal.KeyFile {
	t.Helper()
	k, err := seal.NewKeyFile(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRoot(t testing.TB, store [16]byte) *seal.Root {
	t.Helper()
	r, err := seal.NewRoot(store, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func attach(t testing.TB, r *seal.Root, name string, s seal.Seal) seal.Slot {
	t.Helper()
	slot, err := r.Attach(t.Context(), name, s)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func open(t testing.TB, store [16]byte, slot seal.Slot, s seal.Seal) *seal.Root {
	t.Helper()
	r, err := seal.Open(t.Context(), store, slot, s, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored takes a slot through its stored form, as every slot goes.
func stored(t testing.TB, s seal.Slot) seal.Slot {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > seal.MaxSlot {
		t.Fatalf("a slot of %d bytes", len(b))
	}
	s, err = seal.DecodeSlot(b)
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return s
}

func seals(t testing.TB) map[string]seal.Seal {
	return map[string]seal.Seal{
		"daily":    keyFile(t),
		"recovery": passphrase(t, "correct horse battery staple"),
		"cloud":    seal.NewKeeper("awskms:alias/haven-root", newRemoteKey(t)),
	}
}

// TestEachSealAloneOpensTheStore wraps with the first root and unwraps, cold, with each seal.
func TestEachSealAloneOpensTheStore(t *testing.T) {
	root := newRoot(t, storeA)
	material := secret.New([]byte("material"))
	w, err := root.Wrap(binding, material)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range seals(t) {
		slot := stored(t, attach(t, root, name, s))
		if slot.Name != name || slot.Kind != s.Kind() || slot.Seal != s.ID() || slot.Generation != 1 {
			t.Errorf("slot %+v", slot)
		}
		cold := open(t, storeA, slot, s)
		if got, err := cold.Unwrap(binding, w); err != nil || !got.Equal(material) {
			t.Errorf("%s: %v", name, err)
		}
		if cold.Generation() != 1 {
			t.Errorf("generation %d", cold.Generation())
		}
	}
	if id, version, err := crypt.WrappingKeyOf(w); id != [16]byte{} || version != 1 || err != nil {
		t.Errorf("wrapped by %x %d, %v", id, version, err)
	}
	if _, err := newRoot(t, storeB).Unwrap(binding, w); err != crypt.ErrDecrypt {
		t.Errorf("another root: %v", err)
	}
}

func TestRotationThenColdOpenByEachSealAlone(t *testing.T) {
	root := newRoot(t, storeA)
	bySlot := seals(t)
	var slots []seal.Slot
	for name, s := range bySlot {
		slots = append(slots, attach(t, root, name, s))
	}
	next, renewed, err := root.Rotate(t.Context(), slots, bySlot)
	if err != nil {
		t.Fatal(err)
	}
	if next.Generation() != 2 || len(renewed) != len(slots) {
		t.Fatalf("generation %d, %d slots", next.Generation(), len(renewed))
	}
	old, err := root.Wrap(binding, secret.New([]byte("material")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Unwrap(binding, old); err != crypt.ErrDecrypt {
		t.Errorf("the new root is the old one: %v", err)
	}
	// What the caller does in between.
	material, err := root.Unwrap(binding, old)
	if err != nil {
		t.Fatal(err)
	}
	w, err := next.Wrap(binding, material)
	if err != nil {
		t.Fatal(err)
	}
	root.Destroy()
	next.Destroy()
	for i, slot := range renewed {
		if slot.Name != slots[i].Name {
			t.Fatalf("slot %q became %q", slots[i].Name, slot.Name)
		}
		cold := open(t, storeA, stored(t, slot), bySlot[slot.Name])
		if got, err := cold.Unwrap(binding, w); err != nil || string(secret.Expose(got)) != "material" {
			t.Errorf("%s: %v", slot.Name, err)
		}
	}
}

func TestRotationNeedsEverySeal(t *testing.T) {
	root := newRoot(t, storeA)
	daily, recovery := keyFile(t), newRemoteKey(t)
	keeper := seal.NewKeeper("k", recovery)
	slots := []seal.Slot{attach(t, root, "daily", daily), attach(t, root, "recovery", keeper)}
	foreign := attach(t, newRoot(t, storeA), "recovery", keeper)

	for name, c := range map[string]struct {
		slots []seal.Slot
		seals map[string]seal.Seal
		want  error
	}{
		"no slot":        {nil, nil, seal.ErrSeals},
		"one missing":    {slots, map[string]seal.Seal{"daily": daily}, seal.ErrSeals},
		"another name":   {slots, map[string]seal.Seal{"daily": daily, "other": keeper}, seal.ErrSeals},
		"one too many":   {slots[:1], map[string]seal.Seal{"daily": daily, "recovery": keeper}, seal.ErrSeals},
		"a slot twice":   {[]seal.Slot{slots[0], slots[0]}, map[string]seal.Seal{"daily": daily, "recovery": keeper}, seal.ErrSeals},
		"the wrong seal": {slots, map[string]seal.Seal{"daily": daily, "recovery": keyFile(t)}, seal.ErrWrong},
		"another root":   {[]seal.Slot{slots[0], foreign}, map[string]seal.Seal{"daily": daily, "recovery": keeper}, seal.ErrSeals},
	} {
		if next, got, err := root.Rotate(t.Context(), c.slots, c.seals); !errors.Is(err, c.want) || next != nil || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The last seal fails in the middle: nothing is handed out.
	recovery.down = io.ErrClosedPipe
	both := map[string]seal.Seal{"daily": daily, "recovery": keeper}
	if _, _, err := root.Rotate(t.Context(), slots, both); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a keeper that is down: %v", err)
	}
	if _, err := root.Attach(t.Context(), "recovery", keeper); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("attaching a keeper that is down: %v", err)
	}
	recovery.down = nil
	if _, _, err := root.Rotate(t.Context(), slots, map[string]seal.Seal{"daily": daily, "recovery": &failsToWrap{keeper}}); !errors.Is(err, errWrap) {
		t.Errorf("a seal that only unwraps: %v", err)
	}
}

var errWrap = errors.New("cannot wrap")

type failsToWrap struct{ seal.Seal }

func (failsToWrap) Wrap(context.Context, secret.Bytes) (seal.Sealed, error) {
	return seal.Sealed{}, errWrap
}

// losesWhatItWraps is a seal that says it wrapped and cannot unwrap it.
type losesWhatItWraps struct{ seal.Seal }

func (s losesWhatItWraps) Wrap(ctx context.Context, p secret.Bytes) (seal.Sealed, error) {
	sealed, err := s.Seal.Wrap(ctx, p)
	sealed.Ciphertext[len(sealed.Ciphertext)-1] ^= 1
	return sealed, err
}

func TestAttachOpensWhatItMade(t *testing.T) {
	if _, err := newRoot(t, storeA).Attach(t.Context(), "daily", losesWhatItWraps{keyFile(t)}); !errors.Is(err, seal.ErrWrong) {
		t.Error(err)
	}
}

func TestWrongSeal(t *testing.T) {
	root := newRoot(t, storeA)
	right := passphrase(t, "correct horse battery staple")
	slot := attach(t, root, "recovery", right)
	_, err := seal.Open(t.Context(), storeA, slot, passphrase(t, "correct horse battery stapl3"), rand.Reader)
	if !errors.Is(err, seal.ErrWrong) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	altered := slot
	altered.Sealed.Ciphertext = bytes.Clone(slot.Sealed.Ciphertext)
	altered.Sealed.Ciphertext[60] ^= 1
	if _, err2 := seal.Open(t.Context(), storeA, altered, right, rand.Reader); err2 == nil || err2.Error() != err.Error() {
		t.Errorf("an altered slot is told from a wrong passphrase: %v, %v", err, err2)
	}
	if _, err := seal.Open(t.Context(), storeA, slot, keyFile(t), rand.Reader); !errors.Is(err, seal.ErrWrong) {
		t.Errorf("another kind: %v", err)
	}
	right.Destroy()
	if _, err := seal.Open(t.Context(), storeA, slot, right, rand.Reader); !errors.Is(err, crypt.ErrSize) {
		t.Errorf("a destroyed passphrase: %v", err)
	}
	if _, err := right.Unwrap(t.Context(), seal.Sealed{}); !errors.Is(err, seal.ErrWrong) {
		t.Errorf("no parameters: %v", err)
	}
	if _, err := right.Wrap(t.Context(), secret.New([]byte("x"))); !errors.Is(err, crypt.ErrSize) {
		t.Errorf("wrapping with a destroyed passphrase: %v", err)
	}
}

func TestSlotsCannotBeMoved(t *testing.T) {
	k := keyFile(t)
	a, b := newRoot(t, storeA), newRoot(t, storeB)
	daily, recovery, other := attach(t, a, "daily", k), attach(t, a, "recovery", k), attach(t, b, "daily", k)
	swapped, aged := daily, daily
	swapped.Sealed = recovery.Sealed
	aged.Generation = 2
	for name, slot := range map[string]seal.Slot{"of another store": other, "swapped": swapped, "of another generation": aged} {
		if _, err := seal.Open(t.Context(), storeA, slot, k, rand.Reader); !errors.Is(err, seal.ErrMoved) {
			t.Errorf("a slot %s: %v", name, err)
		}
	}
	keeper := seal.NewKeeper("k", newRemoteKey(t))
	short, err := keeper.Wrap(t.Context(), secret.New([]byte("haven/root/v1\x00")))
	if err != nil {
		t.Fatal(err)
	}
	slot := attach(t, a, "daily", keeper)
	slot.Sealed = short
	if _, err := seal.Open(t.Context(), storeA, slot, keeper, rand.Reader); !errors.Is(err, seal.ErrMoved) {
		t.Errorf("an envelope cut short: %v", err)
	}
}

// TestEveryByteOfASlotCounts alters each byte of a stored slot: it is not a slot, or does not open.
func TestEveryByteOfASlotCounts(t *testing.T) {
	k := keyFile(t)
	encoded, err := attach(t, newRoot(t, storeA), "daily", k).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range encoded {
		for _, bit := range []byte{1, 0x10, 0x20, 0x80} {
			bad := bytes.Clone(encoded)
			bad[i] ^= bit
			slot, err := seal.DecodeSlot(bad)
			if err == nil {
				_, err = seal.Open(t.Context(), storeA, slot, k, rand.Reader)
			}
			if !errors.Is(err, seal.ErrSlot) && !errors.Is(err, seal.ErrWrong) && !errors.Is(err, seal.ErrMoved) {
				t.Fatalf("byte %d ^ %#x: %v", i, bit, err)
			}
		}
	}
}

func TestMigrate(t *testing.T) {
	root := newRoot(t, storeA)
	from, to := keyFile(t), seal.NewKeeper("k", newRemoteKey(t))
	slot := attach(t, root, "daily", from)
	moved, err := root.Migrate(t.Context(), slot, from, to)
	if err != nil || moved.Name != "daily" || moved.Kind != seal.KindKeeper {
		t.Fatalf("%+v, %v", moved, err)
	}
	open(t, storeA, stored(t, moved), to)
	if _, err := seal.Open(t.Context(), storeA, moved, from, rand.Reader); !errors.Is(err, seal.ErrWrong) {
		t.Errorf("the former seal: %v", err)
	}
	if _, err := root.Migrate(t.Context(), slot, keyFile(t), to); !errors.Is(err, seal.ErrWrong) {
		t.Errorf("a seal that is not the slot's: %v", err)
	}
	if _, err := newRoot(t, storeA).Migrate(t.Context(), slot, from, to); !errors.Is(err, seal.ErrSeals) {
		t.Errorf("another root: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	root, k := newRoot(t, storeA), keyFile(t)
	slot := attach(t, root, "daily", k)
	for _, name := range []string{"", "Daily", "a b", "ä", strings.Repeat("a", seal.MaxSlotName+1)} {
		if _, err := root.Attach(t.Context(), name, k); !errors.Is(err, seal.ErrSlot) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for name, change := range map[string]func(*seal.Slot){
		"kind":             func(s *seal.Slot) { s.Kind = "other" },
		"kdf missing":      func(s *seal.Slot) { s.Kind = seal.KindPassphrase },
		"kdf too many":     func(s *seal.Slot) { s.Sealed.KDF = &crypt.PasswordKDF{} },
		"kdf out of range": func(s *seal.Slot) { s.Kind, s.Sealed.KDF = seal.KindPassphrase, &crypt.PasswordKDF{} },
		"generation":       func(s *seal.Slot) { s.Generation = 0 },
		"seal":             func(s *seal.Slot) { s.Seal = "" },
		"seal bytes":       func(s *seal.Slot) { s.Seal = "\xff" },
		"seal length":      func(s *seal.Slot) { s.Seal = strings.Repeat("a", 257) },
		"ciphertext":       func(s *seal.Slot) { s.Sealed.Ciphertext = nil },
		"much ciphertext":  func(s *seal.Slot) { s.Sealed.Ciphertext = make([]byte, seal.MaxSealed+1) },
		"name":             func(s *seal.Slot) { s.Name = "" },
	} {
		bad := slot
		change(&bad)
		if _, err := bad.Encode(); !errors.Is(err, seal.ErrSlot) {
			t.Errorf("%s: encoded, %v", name, err)
		}
		if _, err := seal.Open(t.Context(), storeA, bad, k, rand.Reader); !errors.Is(err, seal.ErrSlot) {
			t.Errorf("%s: opened, %v", name, err)
		}
	}
	if _, err := seal.DecodeSlot(make([]byte, seal.MaxSlot+1)); !errors.Is(err, seal.ErrSlot) {
		t.Errorf("too long: %v", err)
	}
	root.Destroy()
	if _, err := root.Attach(t.Context(), "daily", k); !errors.Is(err, crypt.ErrDestroyed) {
		t.Errorf("a destroyed root: %v", err)
	}
	if _, err := root.Wrap(binding, secret.New([]byte("x"))); !errors.Is(err, crypt.ErrDestroyed) {
		t.Errorf("a destroyed root wraps: %v", err)
	}
	for _, words := range []string{"", "fourteen chars", strings.Repeat("é", 14), strings.Repeat("a", 1025)} {
		if _, err := seal.NewPassphrase(secret.New([]byte(words)), rand.Reader); !errors.Is(err, seal.ErrPassphrase) {
			t.Errorf("a passphrase of %d bytes: %v", len(words), err)
		}
	}
}

// TestRandomnessThatFails lets the source fail at each place it is asked.
func TestRandomnessThatFails(t *testing.T) {
	for n := 0; n < 16+32; n += 16 {
		if _, err := seal.NewKeyFile(io.LimitReader(rand.Reader, int64(n))); err == nil {
			t.Errorf("a key file of %d random bytes", n)
		}
	}
	if _, err := seal.NewRoot(storeA, io.LimitReader(rand.Reader, 31)); err == nil {
		t.Error("a root of 31 random bytes")
	}
	broken := iotest.ErrReader(io.ErrClosedPipe)
	k, err := seal.ParseKeyFile(keyFile(t).Text(), broken)
	if err != nil {
		t.Fatal(err)
	}
	p, err := seal.NewPassphrase(secret.New([]byte("correct horse battery staple")), broken)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []seal.Seal{k, p} {
		if _, err := newRoot(t, storeA).Attach(t.Context(), "daily", s); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v", s.Kind(), err)
		}
	}
	// 32 bytes make the root, 32 more would be needed for the next.
	root, err := seal.NewRoot(storeA, io.LimitReader(rand.Reader, 32))
	if err != nil {
		t.Fatal(err)
	}
	daily := keyFile(t)
	slot := attach(t, root, "daily", daily)
	if _, _, err := root.Rotate(t.Context(), []seal.Slot{slot}, map[string]seal.Seal{"daily": daily}); !errors.Is(err, io.EOF) {
		t.Errorf("rotating: %v", err)
	}
}
