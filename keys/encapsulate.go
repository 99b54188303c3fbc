package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// EncapsulateRequest asks for a new secret to share with the holder of a key.
type EncapsulateRequest struct {
	Key       string    `json:"key"`
	Algorithm Algorithm `json:"algorithm,omitzero"`
}

// EncapsulateAnswer is the secret, 32 bytes, and the ciphertext that gives it to the holder. The
// ciphertext does not name its key: keep KeyID and Version beside it.
type EncapsulateAnswer struct {
	SharedSecret []byte    `json:"shared_secret"`
	Ciphertext   []byte    `json:"ciphertext"`
	Algorithm    Algorithm `json:"algorithm"`
	KeyID        gate.ID   `json:"key_id"`
	Version      uint32    `json:"version"`
}

// Encapsulate makes a secret and encapsulates it to the key's primary, or to the version named.
func (m *Manager) Encapsulate(ctx context.Context, c *gate.Call, req EncapsulateRequest) (*EncapsulateAnswer, error) {
	var out EncapsulateAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		out = EncapsulateAnswer{Algorithm: of.algorithm(req.Algorithm), KeyID: t.Key, Version: t.Version}
		if out.Algorithm != crypt.MLKEM {
			return gate.Outcome{}, of.wrongly(t.Key, crypt.ErrAlgorithm)
		}
		public, err := m.ring.public(t)
		if err != nil {
			return gate.Outcome{}, err
		}
		shared, ciphertext, err := public.Encapsulate()
		out.SharedSecret, out.Ciphertext = secret.Expose(shared), ciphertext
		return gate.Outcome{Parameters: "algorithm=" + string(out.Algorithm)}, of.wrongly(t.Key, err)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
