package crypt_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// TestDerive: the first block of HKDF-Expand is HMAC(key, info ‖ 1), RFC 5869, 2.3; and what is not a
// key or not a label is refused.
func TestDerive(t *testing.T) {
	key := make([]byte, crypt.KeySize)
	for i := range key {
		key[i] = byte(i)
	}
	const label = "haven/test/v1\x00"
	got, err := crypt.Derive(secret.New(key), label)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(append([]byte(label), 1))
	if !hmac.Equal(secret.Expose(got), mac.Sum(nil)) {
		t.Error("not HKDF-Expand")
	}
	if other, err := crypt.Derive(secret.New(key), "haven/test/v2\x00"); err != nil || hmac.Equal(secret.Expose(got), secret.Expose(other)) {
		t.Errorf("two labels give one key: %v", err)
	}
	for _, bad := range []string{"", "haven/test/v1", "a\x00b\x00", "\x00\x00"} {
		if _, err := crypt.Derive(secret.New(key), bad); !errors.Is(err, crypt.ErrKey) {
			t.Errorf("label %q: %v", bad, err)
		}
	}
	if _, err := crypt.Derive(secret.New(key[1:]), label); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("a short key: %v", err)
	}
}
