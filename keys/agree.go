package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// AgreeRequest asks for the secret that a key shares with the holder of PublicKey, the DER of a key
// of the same spec. The two sides have to mean the same version: once the key was rotated, Key has to
// name it, KEY@N, as get-public-key answered it.
type AgreeRequest struct {
	Key       string    `json:"key"`
	PublicKey []byte    `json:"public_key"`
	Algorithm Algorithm `json:"algorithm,omitzero"`
}

// AgreeAnswer is the shared secret: the x-coordinate (SP 800-56A). It is no key yet: derive keys
// from it by a KDF that binds both public keys.
type AgreeAnswer struct {
	SharedSecret []byte    `json:"shared_secret"`
	Algorithm    Algorithm `json:"algorithm"`
	KeyID        gate.ID   `json:"key_id"`
	Version      uint32    `json:"version"`
}

// oneMeant refuses a key that has several versions where nothing would show that the wrong one was
// taken: each gives a secret, and the other side has another.
func oneMeant(t *gate.Target) error {
	if t.Named || t.State.Versions <= 1 {
		return nil
	}
	return &gate.Error{Code: gate.InvalidRequest, Key: t.Key, Detail: fmt.Sprintf(
		"key %s has %d versions, and each gives another secret; name the one that the other side took, KEY@N: encapsulate and get-public-key answer it as version", t.Key, t.State.Versions)}
}

// DeriveSharedSecret agrees on a secret with the holder of another key.
func (m *Manager) DeriveSharedSecret(ctx context.Context, c *gate.Call, req AgreeRequest) (*AgreeAnswer, error) {
	var out AgreeAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Asked: gate.Asked{Algorithm: by(access.KeyAgreementAlgorithm, req.Algorithm)}}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		out = AgreeAnswer{Algorithm: of.algorithm(req.Algorithm), KeyID: t.Key, Version: t.Version}
		if out.Algorithm != crypt.ECDH {
			return gate.Outcome{}, of.wrongly(t.Key, crypt.ErrAlgorithm)
		}
		if err := oneMeant(t); err != nil {
			return gate.Outcome{}, err
		}
		err := use(ctx, m.ring, a, t, func(k *crypt.AgreementKey) error {
			shared, err := k.Agree(req.PublicKey)
			out.SharedSecret = secret.Expose(shared)
			return err
		})
		if errors.Is(err, crypt.ErrPublicKey) {
			err = &gate.Error{Code: gate.InvalidRequest, Key: t.Key, Detail: "public_key is not the DER of a public key of spec " + string(of.Spec)}
		}
		return gate.Outcome{Parameters: "algorithm=" + string(out.Algorithm)}, of.wrongly(t.Key, err)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
