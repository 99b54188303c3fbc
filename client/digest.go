package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/crypt"
)

// ErrNoDigest tells that an algorithm takes messages whole, or that there is none of that name.
var ErrNoDigest = errors.New("the algorithm signs no digest")

// Digest hashes a message of any length as Sign and Verify take it: by the hash function that a
// signing algorithm names, such as "ECDSA_SHA_256". It returns ErrNoDigest for an algorithm that
// signs none, as "ED25519_SHA_512" and "ML_DSA_SHAKE_256" do not, and the error of the reader. For the
// latter see [ExternalMu].
//
// "ED25519_PH_SHA_512" signs digests alone and hashes them once more, as AWS KMS does: who verifies
// elsewhere takes the digest as the message.
func Digest(algorithm string, message io.Reader) ([]byte, error) {
	row, err := crypt.Table().Algorithm(crypt.Algorithm(algorithm))
	if err != nil || row.Digest() == 0 {
		return nil, fmt.Errorf("client: %s: %w", algorithm, ErrNoDigest)
	}
	h := row.Digest().New()
	if _, err := io.Copy(h, message); err != nil {
		return nil, fmt.Errorf("client: the message: %w", err)
	}
	return h.Sum(nil), nil
}

// ExternalMu computes the representative µ of a message of any length, by which Sign signs it under an
// ML-DSA key (FIPS 204): the version whose public key this is, so name that, KEY@N. The signature is one
// of the message itself. Verify takes no µ: of what is over 4 KiB, a signature is verified elsewhere,
// with the public key. It returns [Unsupported] for keys of another algorithm, and in FIPS 140-3 mode,
// which has no ML-DSA; or the error of the reader.
func ExternalMu(key *PublicKey, message io.Reader) ([]byte, error) {
	public, err := crypt.ParsePublicKey(crypt.Spec(key.Spec), key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("client: the public key of %s: %w: %w", key.KeyID, Unsupported, err)
	}
	mu, err := public.ExternalMu(message)
	if errors.Is(err, crypt.ErrSpec) {
		return nil, fmt.Errorf("client: key %s: %w: µ is of ML-DSA keys, and it is one of %s", key.KeyID, Unsupported, key.Spec)
	}
	if err != nil {
		return nil, fmt.Errorf("client: the message: %w", err)
	}
	return mu, nil
}
