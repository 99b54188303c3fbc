package demo

import (
	"crypto/rand"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// lock encrypts the record under a plain data key, as a program that carries records does, and
// destroys the key.
func lock(dataKey, plain []byte) ([]byte, error) {
	k, err := crypt.NewKey([16]byte{}, 1, secret.New(dataKey), rand.Reader)
	if err != nil {
		return nil, err
	}
	defer k.Destroy()
	return k.Encrypt(blob.Context{}, plain)
}

// unlock is the reverse of lock.
func unlock(dataKey, sealed []byte) ([]byte, error) {
	k, err := crypt.NewKey([16]byte{}, 1, secret.New(dataKey), rand.Reader)
	if err != nil {
		return nil, err
	}
	defer k.Destroy()
	return k.Decrypt(blob.Context{}, sealed)
}
