package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

var (
	argon = crypt.PasswordKDF{Algorithm: crypt.Argon2id, Salt: sequence(16, 1), MemoryKiB: 64 << 10, Passes: 3, Lanes: 4}
	pbkdf = crypt.PasswordKDF{Algorithm: crypt.PBKDF2, Salt: sequence(16, 1), Iterations: 600_000}
)

const password = "correct horse battery staple"

// TestNewPasswordKDF pins what is chosen: a lower cost would be a regression nobody sees.
func TestNewPasswordKDF(t *testing.T) {
	want := argon
	if fips140.Enabled() {
		want = pbkdf
	}
	got, err := crypt.NewPasswordKDF(bytes.NewReader(want.Salt))
	if err != nil {
		t.Fatal(err)
	}
	if got.Algorithm != want.Algorithm || got.MemoryKiB != want.MemoryKiB || got.Passes != want.Passes ||
		got.Lanes != want.Lanes || got.Iterations != want.Iterations || !bytes.Equal(got.Salt, want.Salt) {
		t.Errorf("%+v", got)
	}
	a, _ := crypt.NewPasswordKDF(rand.Reader)
	b, _ := crypt.NewPasswordKDF(rand.Reader)
	if bytes.Equal(a.Salt, b.Salt) {
		t.Error("two salts are equal")
	}
}

func TestPasswordKey(t *testing.T) {
	want, err := pbkdf2.Key(sha256.New, password, pbkdf.Salt, 600_000, 32)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pbkdf.Key(newSecret([]byte(password)))
	if err != nil || !got.Equal(secret.New(want)) {
		t.Errorf("PBKDF2: %v", err)
	}

	got, err = argon.Key(newSecret([]byte(password)))
	if fips140.Enabled() {
		if !errors.Is(err, crypt.ErrUnsupported) || got.Len() != 0 {
			t.Errorf("Argon2id in FIPS 140-3 mode: %v", err)
		}
		return
	}
	want = argon2.IDKey([]byte(password), argon.Salt, 3, 64<<10, 4, 32)
	if err != nil || !got.Equal(secret.New(want)) {
		t.Errorf("Argon2id: %v", err)
	}
}

func TestPasswordLimits(t *testing.T) {
	for _, n := range []int{0, crypt.MaxPassword + 1} {
		if _, err := pbkdf.Key(newSecret([]byte(strings.Repeat("a", n)))); !errors.Is(err, crypt.ErrSize) {
			t.Errorf("a password of %d bytes: %v", n, err)
		}
	}
}

// TestPasswordParameters refuses, before any work is done, what is cheaper than allowed and what
// would exhaust the machine.
func TestPasswordParameters(t *testing.T) {
	type kdf = crypt.PasswordKDF
	for name, change := range map[string]func(a, p *kdf){
		"no algorithm":      func(a, p *kdf) { a.Algorithm, p.Algorithm = "", "" },
		"another algorithm": func(a, p *kdf) { a.Algorithm, p.Algorithm = "argon2i", "pbkdf2" },
		"exchanged":         func(a, p *kdf) { a.Algorithm, p.Algorithm = p.Algorithm, a.Algorithm },
		"no salt":           func(a, p *kdf) { a.Salt, p.Salt = nil, nil },
		"a short salt":      func(a, p *kdf) { a.Salt, p.Salt = a.Salt[:15], p.Salt[:15] },
		"a long salt":       func(a, p *kdf) { a.Salt, p.Salt = make([]byte, 17), make([]byte, 1<<20) },
		"cheap":             func(a, p *kdf) { a.MemoryKiB, p.Iterations = 64<<10-1, 599_999 },
		"few passes":        func(a, p *kdf) { a.Passes, p.Iterations = 2, 0 },
		"few lanes":         func(a, p *kdf) { a.Lanes, p.Lanes = 3, 1 },
		"much memory":       func(a, p *kdf) { a.MemoryKiB, p.MemoryKiB = 1<<20+1, 1 },
		"many passes":       func(a, p *kdf) { a.Passes, p.Passes = 17, 1 },
		"many lanes":        func(a, p *kdf) { a.Lanes, p.Lanes = 17, 4 },
		"many iterations":   func(a, p *kdf) { a.Iterations, p.Iterations = 1, 20_000_001 },
		"the most":          func(a, p *kdf) { a.MemoryKiB, p.Iterations = 1<<32-1, 1<<32-1 },
	} {
		a, p := argon, pbkdf
		change(&a, &p)
		for _, k := range []kdf{a, p} {
			if _, err := k.Key(newSecret([]byte(password))); !errors.Is(err, crypt.ErrParameters) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestPasswordModes: each mode accepts what it chooses; only PBKDF2 passes in both.
func TestPasswordModes(t *testing.T) {
	for _, c := range []struct {
		kdf      crypt.PasswordKDF
		approved bool
		want     error
	}{{argon, false, nil}, {argon, true, crypt.ErrUnsupported}, {pbkdf, false, nil}, {pbkdf, true, nil}} {
		if err := c.kdf.CheckIn(c.approved); err != c.want {
			t.Errorf("%s, approved only %v: %v", c.kdf.Algorithm, c.approved, err)
		}
	}
	for approved, want := range map[bool]string{true: crypt.PBKDF2, false: crypt.Argon2id} {
		if got := crypt.LeastPasswordKDF(approved).Algorithm; got != want {
			t.Errorf("approved only %v: %s", approved, got)
		}
	}
}
