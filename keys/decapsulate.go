package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// DecapsulateRequest asks for the secret of a ciphertext, which does not name its version: once the
// key was rotated, Key has to, KEY@N, as encapsulate or get-public-key answered it.
type DecapsulateRequest struct {
	Key        string    `json:"key"`
	Ciphertext []byte    `json:"ciphertext"`
	Algorithm  Algorithm `json:"algorithm,omitzero"`
}

// DecapsulateAnswer is the secret, 32 bytes.
type DecapsulateAnswer struct {
	SharedSecret []byte    `json:"shared_secret"`
	Algorithm    Algorithm `json:"algorithm"`
	KeyID        gate.ID   `json:"key_id"`
	Version      uint32    `json:"version"`
}

// Decapsulate returns the secret that was encapsulated to the version named, or to the only one. A
// ciphertext that was altered, or is another key's or version's, gives another secret and no error
// (FIPS 203): what is done with the secret has to show that both sides have the same.
func (m *Manager) Decapsulate(ctx context.Context, c *gate.Call, req DecapsulateRequest) (*DecapsulateAnswer, error) {
	var out DecapsulateAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		out = DecapsulateAnswer{Algorithm: of.algorithm(req.Algorithm), KeyID: t.Key, Version: t.Version}
		if out.Algorithm != crypt.MLKEM {
			return gate.Outcome{}, of.wrongly(t.Key, crypt.ErrAlgorithm)
		}
		if err := oneMeant(t); err != nil {
			return gate.Outcome{}, err
		}
		err := use(ctx, m.ring, a, t, func(k *crypt.KEMKey) error {
			shared, err := k.Decapsulate(req.Ciphertext)
			out.SharedSecret = secret.Expose(shared)
			return err
		})
		if errors.Is(err, crypt.ErrDecrypt) {
			err = &gate.Error{Code: gate.InvalidCiphertext, Key: t.Key, Detail: "the ciphertext is not as long as one of " + string(of.Spec)}
		}
		return gate.Outcome{Parameters: "algorithm=" + string(out.Algorithm)}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
