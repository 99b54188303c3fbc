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
// signs none, as "ED25519_SHA_512" and "ML_DSA_SHAKE_256" do not, and the error of the reader.
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
