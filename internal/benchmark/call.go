package benchmark

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"time"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// call is what an operation computes, by itself: no server, no key to look up, no record. That of
// encrypt is package crypt's; those of sign and verify are the standard library's alone.
type call struct {
	operation string
	size      int
	do        func() error
	samples   []sample // one a round
}

// makeCalls lists the calls that measurements are compared with.
func (b *bench) makeCalls() error {
	for _, size := range b.cfg.Sizes {
		material, err := crypt.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		key, err := crypt.NewKey([16]byte{1}, 1, material, rand.Reader)
		if err != nil {
			return err
		}
		plaintext := make([]byte, size)
		b.calls = append(b.calls, &call{operation: opEncrypt, size: size, do: func() error {
			_, err := key.Encrypt(blob.Context{}, plaintext)
			return err
		}})
	}
	return b.makeSignatures(b.cfg.Sizes[0])
}

func (b *bench) makeSignatures(size int) error {
	material, err := crypt.GenerateMaterial(crypt.P256, rand.Reader)
	if err != nil {
		return err
	}
	defer material.Destroy()
	parsed, err := x509.ParsePKCS8PrivateKey(secret.Expose(material))
	if err != nil {
		return err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return errors.New("benchmark: a key that does not sign")
	}
	message := make([]byte, size)
	sign := func() ([]byte, error) {
		digest := sha256.Sum256(message)
		return key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	signature, err := sign()
	if err != nil {
		return err
	}
	verifier := x509.Certificate{PublicKey: key.Public()}
	b.calls = append(b.calls,
		&call{operation: opSign, size: size, do: func() error {
			_, err := sign()
			return err
		}},
		&call{operation: opVerify, size: size, do: func() error {
			return verifier.CheckSignature(x509.ECDSAWithSHA256, message, signature)
		}})
	return nil
}

// together is how many calls are timed at once, because one is hardly longer than looking at the
// clock.
const together = 100

// measure measures the call once, with what the collector spends on it.
func (c *call) measure(lasts time.Duration) (sample, error) {
	before, err := used()
	if err != nil {
		return sample{}, err
	}
	var took []time.Duration
	began := time.Now()
	for last := began; last.Sub(began) < lasts; {
		for range together {
			if err := c.do(); err != nil {
				return sample{}, err
			}
		}
		now := time.Now()
		took = append(took, now.Sub(last)/together)
		last = now
	}
	lasted := time.Since(began)
	after, err := used()
	return newSample(took, lasted, together, before, after), err
}
