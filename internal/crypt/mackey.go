package crypt

import (
	"bytes"
	"crypto/hmac"

	"github.com/haven-health/haven/internal/secret"
)

// MACKey is one version of a MAC key, ready for use: HMAC (FIPS 198-1) with a key as long as the
// hash. Methods may be called from several goroutines, Destroy too. [MAC] is something else: what
// authenticates the items of the store.
type MACKey struct {
	held held[[]byte]
	use  *Use
}

// OpenMACKey opens material of an HMAC key, which it copies. It returns [ErrSpec],
// [ErrUnsupported] or [ErrMaterial]; the latter for every key that FIPS 140-3 mode would panic at,
// because each is shorter than the spec asks.
func OpenMACKey(s Spec, material secret.Bytes) (*MACKey, error) {
	inner, _, use, err := openFor[secretKey](s, GenerateVerifyMAC, material)
	if err != nil {
		return nil, err
	}
	k := &MACKey{use: use}
	k.held.hold(bytes.Clone(inner))
	return k, nil
}

// Generate computes the MAC of a message of at most [MaxSigned] bytes, not truncated. It returns
// [ErrAlgorithm] for an algorithm that the key does not have, [ErrSize] or [ErrDestroyed].
func (k *MACKey) Generate(a Algorithm, message []byte) ([]byte, error) {
	row, err := k.use.algorithm(a)
	if err != nil {
		return nil, err
	}
	if len(message) > MaxSigned {
		return nil, ErrSize
	}
	key, err := k.held.get()
	if err != nil {
		return nil, err
	}
	h := hmac.New(row.hash.New, key)
	h.Write(message)
	return h.Sum(nil), nil
}

// Verify tells whether mac is the message's, in time that does not depend on mac: nil, or
// [ErrSignature]. Before that it returns what [MACKey.Generate] does.
func (k *MACKey) Verify(a Algorithm, message, mac []byte) error {
	want, err := k.Generate(a, message)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, want) {
		return ErrSignature
	}
	return nil
}

// Destroy makes later calls return [ErrDestroyed].
func (k *MACKey) Destroy() { k.held.destroy() }
