package seal_test

import (
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/fipstest"
	"github.com/haven-health/haven/seal"
)

// TestUnderFIPS runs this package's tests in a process where only what FIPS 140-3 approves works.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	fipstest.Run(t, "only", nil, "-test.skip=Fuzz")
}

// TestPassphraseAlgorithm asserts that a slot says how its key is made, and that a slot of the
// other mode is decoded and then refused for what it is.
func TestPassphraseAlgorithm(t *testing.T) {
	want := crypt.Argon2id
	if fips140.Enabled() {
		want = crypt.PBKDF2
	}
	p := passphrase(t, "correct horse battery staple")
	slot := attach(t, newRoot(t, storeA), "recovery", p)
	if slot.Sealed.KDF.Algorithm != want {
		t.Errorf("algorithm %q", slot.Sealed.KDF.Algorithm)
	}
	slot.Sealed.KDF = &crypt.PasswordKDF{
		Algorithm: crypt.Argon2id, Salt: make([]byte, 16), MemoryKiB: 64 << 10, Passes: 3, Lanes: 4,
	}
	wantErr := seal.ErrWrong
	if fips140.Enabled() {
		wantErr = crypt.ErrUnsupported
	}
	if _, err := seal.Open(t.Context(), storeA, stored(t, slot), p, rand.Reader); !errors.Is(err, wantErr) {
		t.Errorf("an Argon2id slot: %v", err)
	}
}
