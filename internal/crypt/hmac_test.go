package crypt_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
)

func newMAC(t testing.TB, key []byte) *crypt.MAC {
	t.Helper()
	m, err := crypt.NewMAC(newSecret(key))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// plainMAC is the definition: HMAC over each part with its length before it.
func plainMAC(key []byte, parts ...[]byte) [32]byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

func TestMAC(t *testing.T) {
	key := sequence(32, 9)
	m := newMAC(t, key)
	seen := map[[32]byte]bool{}
	for _, parts := range [][][]byte{
		{}, {{}}, {{}, {}}, {[]byte("ab")}, {[]byte("a"), []byte("b")}, {[]byte("ab"), {}}, {{}, []byte("ab")},
		{bytes.Repeat([]byte{1}, 128<<10), []byte("x")},
	} {
		got := m.Sum(parts...)
		if want := plainMAC(key, parts...); got != want {
			t.Errorf("%d parts: %x, want %x", len(parts), got, want)
		}
		if seen[got] {
			t.Errorf("%d parts have the MAC of others", len(parts))
		}
		seen[got] = true
		if !m.Verify(got, parts...) {
			t.Error("a right MAC is refused")
		}
		for i := range got {
			bad := got
			bad[i] ^= 1
			if m.Verify(bad, parts...) {
				t.Fatal("a wrong MAC is accepted")
			}
		}
	}
	if m.Verify(newMAC(t, sequence(32, 10)).Sum([]byte("a")), []byte("a")) {
		t.Error("another key's MAC is accepted")
	}
}

// TestMACKeepsItsKey: the caller may destroy the key it was made of.
func TestMACKeepsItsKey(t *testing.T) {
	key := newSecret(sequence(32, 9))
	m, err := crypt.NewMAC(key)
	if err != nil {
		t.Fatal(err)
	}
	key.Destroy()
	if m.Sum([]byte("a")) != plainMAC(sequence(32, 9), []byte("a")) {
		t.Error("the MAC lost its key")
	}
}

func TestMACFromManyGoroutines(t *testing.T) {
	m := newMAC(t, sequence(32, 9))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			part := []byte{byte(i)}
			want := plainMAC(sequence(32, 9), part)
			for range 500 {
				if m.Sum(part) != want {
					t.Error("two computations were mixed")
					return
				}
			}
		})
	}
	wg.Wait()
}
