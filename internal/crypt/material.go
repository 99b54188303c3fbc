package crypt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/haven-health/haven/internal/secret"
)

// A family is the specs that differ in a parameter only: everything about a kind of key that is not
// in the table's words. Each has a file, in the same order: family, private key, public key.
type family interface {
	// generate makes material.
	generate(random io.Reader) ([]byte, error)
	// parse reads material and returns the encoding of it that is stored. The two differ only where
	// a standard leaves a choice that import has to accept.
	parse(material []byte) (k privateKey, encoding []byte, ok bool)
	// parsePublic reads what publicKey.encode gives, and nothing else.
	parsePublic(encoded []byte) (publicKey, bool)
}

// privateKey is material, parsed. What else it does says the usage: see signer, decrypter and the
// other small interfaces.
type privateKey interface {
	// public is nil for secret keys.
	public() publicKey
}

// GenerateMaterial makes material for a key of a spec, in the encoding that the table names. Bytes
// and seeds come from random, which must be cryptographically secure; RSA, EC, ML-KEM and HPKE keys
// are made by the standard library, from its own source: that alone is the service that FIPS 140-3
// approves. An RSA key takes seconds. It returns [ErrSpec], [ErrUnsupported] or the reader's error.
func GenerateMaterial(s Spec, random io.Reader) (secret.Bytes, error) {
	row, err := matrix.approved(s)
	if err != nil {
		return secret.Bytes{}, err
	}
	b, err := row.family.generate(random)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("crypt: generating a key: %w", err)
	}
	return secret.New(b), nil
}

// CheckValue returns what tells people whether two places hold the same key and says nothing
// about the key: of a pair the hexadecimal SHA-256 fingerprint of the public key (see
// [PublicKey.Fingerprint]), of a secret key the first 3 bytes of
// HMAC-SHA-256(key, "haven/kcv/v1" ‖ 0 ‖ spec), 6 digits. It returns [ErrSpec], [ErrUnsupported] or
// [ErrMaterial].
func CheckValue(s Spec, material secret.Bytes) (string, error) {
	row, err := matrix.approved(s)
	if err != nil {
		return "", err
	}
	k, err := row.open(material)
	if err != nil {
		return "", err
	}
	if p := k.public(); p != nil {
		return (&PublicKey{row, p}).Fingerprint(), nil
	}
	mac := hmac.New(sha256.New, secret.Expose(material))
	io.WriteString(mac, "haven/kcv/v1\x00"+string(s))
	return hex.EncodeToString(mac.Sum(nil)[:3]), nil
}

// PublicKeyOf returns the public key of a pair's material. It returns [ErrSpec] for a spec that has
// none, [ErrUnsupported] or [ErrMaterial].
func PublicKeyOf(s Spec, material secret.Bytes) (*PublicKey, error) {
	row, err := matrix.approved(s)
	if err != nil {
		return nil, err
	}
	k, err := row.open(material)
	if err != nil {
		return nil, err
	}
	p := k.public()
	if p == nil {
		return nil, ErrSpec
	}
	return &PublicKey{row, p}, nil
}

// open parses stored material: the stored encoding only.
func (r *SpecRow) open(material secret.Bytes) (privateKey, error) {
	b := secret.Expose(material)
	k, encoding, ok := r.family.parse(b)
	if !ok || !bytes.Equal(encoding, b) {
		return nil, ErrMaterial
	}
	return k, nil
}

// importMaterial reads material made elsewhere and returns it as it is stored.
func (r *SpecRow) importMaterial(b []byte) (secret.Bytes, error) {
	if !r.Import {
		return secret.Bytes{}, ErrSpec
	}
	_, encoding, ok := r.family.parse(b)
	if !ok {
		return secret.Bytes{}, ErrMaterial
	}
	return secret.New(bytes.Clone(encoding)), nil
}

// openFor opens material for a usage. K is what the family's keys do for that usage.
func openFor[K any](s Spec, u Usage, material secret.Bytes) (K, *SpecRow, *Use, error) {
	var none K
	row, use, err := matrix.use(s, u)
	if err != nil {
		return none, nil, nil, err
	}
	opened, err := row.open(material)
	if err != nil {
		return none, nil, nil, err
	}
	k, ok := opened.(K)
	if !ok { // AES keys and RSA keys have a usage in common
		return none, nil, nil, ErrSpec
	}
	return k, row, use, nil
}

// held is a key until it is destroyed. The standard library's keys cannot be zeroed: what destroying
// promises is that no later call uses the key, and that nothing of ours refers to it.
type held[K any] struct{ key atomic.Pointer[K] }

func (h *held[K]) hold(k K) { h.key.Store(&k) }
func (h *held[K]) destroy() { h.key.Store(nil) }

func (h *held[K]) get() (k K, err error) {
	if p := h.key.Load(); p != nil {
		return *p, nil
	}
	return k, ErrDestroyed
}
