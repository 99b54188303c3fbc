package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

var testID = [16]byte{0: 0x01, 6: 0x7f, 15: 0xee}

func newKey(t testing.TB, id [16]byte, version uint32) *crypt.Key {
	t.Helper()
	material, err := crypt.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyOver(t, id, version, material)
}

func keyOver(t testing.TB, id [16]byte, version uint32, material secret.Bytes) *crypt.Key {
	t.Helper()
	k, err := crypt.NewKey(id, version, material, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func contextOf(t testing.TB, kv ...string) blob.Context {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	c, err := blob.ContextOf(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encrypt(t testing.TB, k *crypt.Key, c blob.Context, plaintext []byte) []byte {
	t.Helper()
	b, err := k.Encrypt(c, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mustRefuse asserts the one error, and no plaintext beside it.
func mustRefuse(t testing.TB, k *crypt.Key, c blob.Context, message []byte, what string) {
	t.Helper()
	if p, err := k.Decrypt(c, message); err != crypt.ErrDecrypt || p != nil {
		t.Fatalf("%s: %d bytes of plaintext, error %v", what, len(p), err)
	}
}

func TestRoundTrip(t *testing.T) {
	k := newKey(t, testID, 7)
	c := contextOf(t, "patient", "p-1")
	for _, n := range []int{0, 1, 15, 16, 17, 32, 4096, 1 << 20} {
		plaintext := make([]byte, n)
		rand.Read(plaintext)
		message := encrypt(t, k, c, plaintext)
		if len(message) != n+blob.Overhead {
			t.Errorf("%d bytes become %d", n, len(message))
		}
		if id, version, err := crypt.KeyOf(message); id != testID || version != 7 || err != nil {
			t.Errorf("KeyOf: %x %d %v", id, version, err)
		}
		got, err := k.Decrypt(c, message)
		if err != nil || !bytes.Equal(got, plaintext) || got == nil {
			t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
		}
		if again := encrypt(t, k, c, plaintext); bytes.Equal(again[24:56], message[24:56]) || bytes.Equal(again[88:100], message[88:100]) {
			t.Error("salt or nonce repeats")
		}
	}
}

func TestAbsentContextIsTheEmptyOne(t *testing.T) {
	k := newKey(t, testID, 1)
	if _, err := k.Decrypt(contextOf(t), encrypt(t, k, blob.Context{}, []byte("x"))); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	k := newKey(t, testID, 1)
	if _, err := k.Encrypt(blob.Context{}, make([]byte, blob.MaxMessage+1)); !errors.Is(err, crypt.ErrSize) {
		t.Errorf("a message too long: %v", err)
	}
	for _, n := range []int{0, blob.MaxMaterial + 1} {
		if _, err := k.Wrap(blob.Binding{}, secret.New(make([]byte, n))); !errors.Is(err, crypt.ErrSize) {
			t.Errorf("material of %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := crypt.NewKey(testID, 1, secret.New(make([]byte, n)), rand.Reader); !errors.Is(err, crypt.ErrKey) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
		if _, err := crypt.NewMAC(secret.New(make([]byte, n))); !errors.Is(err, crypt.ErrKey) {
			t.Errorf("a MAC key of %d bytes: %v", n, err)
		}
	}
	if _, err := crypt.NewKey(testID, 0, secret.New(make([]byte, 32)), rand.Reader); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("version 0: %v", err)
	}
}

func TestRandomnessThatFails(t *testing.T) {
	broken := iotest.ErrReader(io.ErrClosedPipe)
	k, err := crypt.NewKey(testID, 1, secret.New(make([]byte, 32)), broken)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := k.Encrypt(blob.Context{}, []byte("x")); !errors.Is(err, io.ErrClosedPipe) || b != nil {
		t.Errorf("Encrypt: %v", err)
	}
	if b, err := k.Wrap(blob.Binding{}, secret.New([]byte("x"))); !errors.Is(err, io.ErrClosedPipe) || b != nil {
		t.Errorf("Wrap: %v", err)
	}
	if _, err := crypt.GenerateKey(broken); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("GenerateKey: %v", err)
	}
	if _, err := crypt.NewPasswordKDF(broken); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("NewPasswordKDF: %v", err)
	}
}

// TestDestroyWhileInUse asserts that a call either is done as if the key lived, or refused: what
// was encrypted meanwhile opens under a second copy of the key.
func TestDestroyWhileInUse(t *testing.T) {
	raw := bytes.Repeat([]byte{9}, 32)
	material := secret.New(raw)
	twin := keyOver(t, testID, 1, material.Clone())
	k := keyOver(t, testID, 1, material)
	sample := encrypt(t, k, blob.Context{}, []byte("x"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				message, err := k.Encrypt(blob.Context{}, []byte("x"))
				if err == crypt.ErrDestroyed {
					return
				}
				if _, err := twin.Decrypt(blob.Context{}, message); err != nil {
					t.Error("encrypted under something else than the key")
					return
				}
			}
		})
	}
	k.Destroy()
	wg.Wait()
	k.Destroy()
	if !bytes.Equal(raw, make([]byte, 32)) {
		t.Error("the material is not zero")
	}
	if _, err := k.Decrypt(blob.Context{}, sample); err != crypt.ErrDestroyed {
		t.Errorf("Decrypt: %v", err)
	}
	if _, err := k.Wrap(blob.Binding{}, secret.New([]byte("x"))); err != crypt.ErrDestroyed {
		t.Errorf("Wrap: %v", err)
	}
}

func TestWrap(t *testing.T) {
	k := newKey(t, testID, 2)
	b := blob.Binding{
		Store: [16]byte{1}, Account: "000000000000", Purpose: "key version", ID: "k-1", Version: 1,
		Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT",
	}
	material, err := crypt.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w, err := k.Wrap(b, material)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Unwrap(b, w)
	if err != nil || !got.Equal(material) {
		t.Fatalf("unwrapping: %v", err)
	}
	if id, version, err := crypt.WrappingKeyOf(w); id != testID || version != 2 || err != nil {
		t.Errorf("WrappingKeyOf: %x %d %v", id, version, err)
	}
	for name, change := range map[string]func(*blob.Binding){
		"store":    func(b *blob.Binding) { b.Store[15] ^= 1 },
		"account":  func(b *blob.Binding) { b.Account = "000000000001" },
		"purpose":  func(b *blob.Binding) { b.Purpose = "stored key" },
		"id":       func(b *blob.Binding) { b.ID = "k-2" },
		"version":  func(b *blob.Binding) { b.Version = 2 },
		"spec":     func(b *blob.Binding) { b.Spec = "HMAC_256" },
		"usage":    func(b *blob.Binding) { b.Usage = "GENERATE_VERIFY_MAC" },
		"boundary": func(b *blob.Binding) { b.Account, b.Purpose = b.Account+"k", b.Purpose[1:] },
		"too long": func(b *blob.Binding) { b.ID = string(make([]byte, 256)) },
	} {
		other := b
		change(&other)
		if s, err := k.Unwrap(other, w); err != crypt.ErrDecrypt || s.Len() != 0 {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if _, err := k.Wrap(blob.Binding{ID: string(make([]byte, 256))}, material); !errors.Is(err, crypt.ErrSize) {
		t.Errorf("a binding too long: %v", err)
	}
	if _, err := newKey(t, testID, 2).Unwrap(b, w); err != crypt.ErrDecrypt {
		t.Errorf("another key: %v", err)
	}
	for i := range w {
		bad := bytes.Clone(w)
		bad[i] ^= 1
		if _, err := k.Unwrap(b, bad); err != crypt.ErrDecrypt {
			t.Fatalf("byte %d altered: %v", i, err)
		}
		if _, err := k.Unwrap(b, w[:i]); err != crypt.ErrDecrypt {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, _, err := crypt.WrappingKeyOf(w[1:]); err != crypt.ErrDecrypt {
		t.Errorf("WrappingKeyOf: %v", err)
	}
	mustRefuse(t, k, blob.Context{}, w, "wrapped material as a message")
	if _, err := k.Unwrap(blob.Binding{}, encrypt(t, k, blob.Context{}, []byte("x"))); err != crypt.ErrDecrypt {
		t.Errorf("a message as wrapped material: %v", err)
	}
}

func newSecret(b []byte) secret.Bytes { return secret.New(bytes.Clone(b)) }
