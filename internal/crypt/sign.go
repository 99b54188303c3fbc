package crypt

import (
	"crypto"
	"fmt"
	"io"
	"slices"

	"github.com/haven-health/haven/internal/secret"
)

// SigningKey is one version of a signing key, ready for use. Methods may be called from several
// goroutines, Destroy too.
type SigningKey struct {
	held   held[signer]
	use    *Use
	public *PublicKey
	random io.Reader
}

// signer is a private key that signs.
type signer interface {
	sign(random io.Reader, in input) ([]byte, error)
}

// verifier is a public key that verifies.
type verifier interface {
	verify(in input, signature []byte) bool
}

// input is a message as the algorithm's primitive takes it: hashed, where the algorithm has a hash.
type input struct {
	algorithm Algorithm
	hash      crypto.Hash
	kind      MessageType
	bytes     []byte
}

// OpenSigningKey opens material of a spec that signs; it keeps nothing of the argument. Salts of
// PSS come from random, which must be cryptographically secure and safe for concurrent use. It
// returns [ErrSpec], [ErrUnsupported] or [ErrMaterial].
func OpenSigningKey(s Spec, material secret.Bytes, random io.Reader) (*SigningKey, error) {
	inner, row, use, err := openFor[signer](s, SignVerify, material)
	if err != nil {
		return nil, err
	}
	k := &SigningKey{use: use, public: &PublicKey{row, inner.(privateKey).public()}, random: random}
	k.held.hold(inner)
	return k, nil
}

// Sign signs. The signature is encoded as AWS KMS does: DER (RFC 3279) for ECDSA, else the bytes of
// the algorithm's standard. It returns [ErrAlgorithm] for an algorithm or message type that the key
// does not have, [ErrSize] for a message too long or a digest of another length than the hash's,
// [ErrUnsupported], [ErrDestroyed], or the error of the source of randomness.
func (k *SigningKey) Sign(a Algorithm, t MessageType, message []byte) ([]byte, error) {
	row, err := k.use.algorithm(a)
	if err != nil {
		return nil, err
	}
	in, err := row.input(row.Signs, t, message)
	if err != nil {
		return nil, err
	}
	inner, err := k.held.get()
	if err != nil {
		return nil, err
	}
	signature, err := inner.sign(k.random, in)
	if err != nil {
		return nil, fmt.Errorf("crypt: signing: %w", err)
	}
	return signature, nil
}

// Verify is [PublicKey.Verify] by the key's public half. It works after Destroy too.
func (k *SigningKey) Verify(a Algorithm, t MessageType, message, signature []byte) error {
	return k.public.Verify(a, t, message, signature)
}

// Public returns the public half.
func (k *SigningKey) Public() *PublicKey { return k.public }

// Destroy makes later calls of Sign return [ErrDestroyed].
func (k *SigningKey) Destroy() { k.held.destroy() }

// Verify tells whether a signature is one of the message by this key: nil, or [ErrSignature]
// whatever is wrong with it, malformed encoding included. Before that it returns what
// [SigningKey.Sign] does, and [ErrSpec] when keys of this spec do not sign.
func (p *PublicKey) Verify(a Algorithm, t MessageType, message, signature []byte) error {
	_, use, err := matrix.use(p.row.Spec, SignVerify)
	if err != nil {
		return err
	}
	row, err := use.algorithm(a)
	if err != nil {
		return err
	}
	in, err := row.input(row.Verifies, t, message)
	if err != nil {
		return err
	}
	if !p.key.(verifier).verify(in, signature) {
		return ErrSignature
	}
	return nil
}

// input checks a message, which has to be of one of the types permitted, and hashes it where the
// algorithm's primitive takes a hash.
func (r *AlgorithmRow) input(permitted []MessageType, t MessageType, message []byte) (input, error) {
	if !slices.Contains(permitted, t) {
		return input{}, ErrAlgorithm
	}
	ok := len(message) <= MaxSigned
	switch t {
	case Digest:
		ok = len(message) == r.hash.Size()
	case ExternalMu:
		ok = len(message) == muSize
	}
	if !ok {
		return input{}, ErrSize
	}
	if r.hash != 0 && (t == Raw || r.Algorithm == Ed25519ph) {
		h := r.hash.New()
		h.Write(message)
		message = h.Sum(nil)
	}
	return input{r.Algorithm, r.hash, t, message}, nil
}
