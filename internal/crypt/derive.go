package crypt

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/haven-health/haven/internal/secret"
)

// Derive makes another key of [KeySize] bytes from one, for the one purpose that the label names:
// HKDF-Expand (RFC 5869) with SHA-256, which needs no Extract since the key is uniformly random. The
// label ends in a zero byte and has none inside, so that none is the beginning of another. Neither
// key tells anything of the other to who has only one of them and it is the derived one. It returns
// [ErrKey].
func Derive(key secret.Bytes, label string) (secret.Bytes, error) {
	if key.Len() != KeySize || len(label) < 2 || strings.IndexByte(label, 0) != len(label)-1 {
		return secret.Bytes{}, ErrKey
	}
	derived, err := hkdf.Expand(sha256.New, secret.Expose(key), label, KeySize)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("crypt: deriving a key: %w", err)
	}
	return secret.New(derived), nil
}
