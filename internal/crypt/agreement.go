package crypt

import (
	"crypto/ecdh"
	"crypto/ecdsa"

	"github.com/haven-health/haven/internal/secret"
)

// AgreementKey is one version of a key that agrees on secrets with the holders of other keys of its
// spec: ECDH on the NIST curves (SP 800-56A). Methods may be called from several goroutines,
// Destroy too.
type AgreementKey struct {
	held   held[*ecdh.PrivateKey]
	public *PublicKey
}

// OpenAgreementKey opens material of an EC key; it keeps nothing of the argument. It returns
// [ErrSpec], [ErrUnsupported] or [ErrMaterial].
func OpenAgreementKey(s Spec, material secret.Bytes) (*AgreementKey, error) {
	inner, row, _, err := openFor[*ecPrivate](s, KeyAgreement, material)
	if err != nil {
		return nil, err
	}
	private, err := (*ecdsa.PrivateKey)(inner).ECDH()
	if err != nil {
		return nil, ErrMaterial
	}
	k := &AgreementKey{public: &PublicKey{row, inner.public()}}
	k.held.hold(private)
	return k, nil
}

// Agree returns the shared secret with the holder of an encoded public key of the same spec: the
// x-coordinate as it is, as AWS KMS returns it. It is no key yet: derive keys from it by a KDF that
// binds both public keys. It returns [ErrPublicKey] or [ErrDestroyed].
func (k *AgreementKey) Agree(peer []byte) (secret.Bytes, error) {
	p, err := ParsePublicKey(k.public.Spec(), peer)
	if err != nil {
		return secret.Bytes{}, err
	}
	private, err := k.held.get()
	if err != nil {
		return secret.Bytes{}, err
	}
	var shared []byte
	public, err := (*ecdsa.PublicKey)(p.key.(*ecPublic)).ECDH()
	if err == nil {
		shared, err = private.ECDH(public)
	}
	if err != nil {
		return secret.Bytes{}, ErrPublicKey
	}
	return secret.New(shared), nil
}

// Public returns the public half.
func (k *AgreementKey) Public() *PublicKey { return k.public }

// Destroy makes later calls return [ErrDestroyed].
func (k *AgreementKey) Destroy() { k.held.destroy() }
