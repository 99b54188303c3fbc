package crypt

import (
	"crypto/sha256"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// Wrapped is key material as it may be stored: encrypted under a wrapping key. Material in clear is
// a [secret.Bytes]; the compiler keeps the two apart.
type Wrapped []byte

// Wrap encrypts key material, 1 to [blob.MaxMaterial] bytes, for the place that the binding names.
// It returns [ErrSize], also for a binding with too long a field, [ErrDestroyed], or the error of
// the source of randomness.
func (k *Key) Wrap(b blob.Binding, material secret.Bytes) (Wrapped, error) {
	binding, err := digest(b)
	if err != nil || material.Len() == 0 {
		return nil, ErrSize
	}
	return k.seal(blob.Wrapped, binding, secret.Expose(material))
}

// Unwrap decrypts key material that this key wrapped for the same binding. It returns [ErrDecrypt]
// or [ErrDestroyed].
func (k *Key) Unwrap(b blob.Binding, w Wrapped) (secret.Bytes, error) {
	binding, err := digest(b)
	if err != nil {
		return secret.Bytes{}, ErrDecrypt
	}
	material, err := k.open(blob.Wrapped, binding, w)
	if err != nil {
		return secret.Bytes{}, err
	}
	return secret.New(material), nil
}

func digest(b blob.Binding) ([sha256.Size]byte, error) {
	encoded, err := b.Append(make([]byte, 0, 256))
	return sha256.Sum256(encoded), err
}
