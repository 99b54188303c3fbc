package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

// DecryptRequest asks to decrypt what Encrypt or GenerateDataKey made for the same context. Key
// may be empty; if not, the ciphertext must be that key's.
type DecryptRequest struct {
	Key        string
	Ciphertext []byte
	Context    blob.Context
}

// DecryptAnswer is a plaintext and what it was encrypted under.
type DecryptAnswer struct {
	Plaintext []byte
	KeyID     gate.ID
	Version   uint32
}

// Decrypt decrypts with the version that the ciphertext names. Every failure of the ciphertext
// itself is one error.
func (m *Manager) Decrypt(ctx context.Context, c *gate.Call, req DecryptRequest) (*DecryptAnswer, error) {
	var out DecryptAnswer
	r, f, err := m.decrypt(ctx, &req, &out)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	if err := m.gate.Do(ctx, c, r, f); err != nil {
		return nil, err
	}
	return &out, nil
}

func (m *Manager) decrypt(ctx context.Context, req *DecryptRequest, out *DecryptAnswer) (gate.Request, gate.Function, error) {
	id, version, err := crypt.KeyOf(req.Ciphertext)
	if err != nil {
		return gate.Request{}, nil, invalidCiphertext()
	}
	r := gate.Request{References: []gate.Reference{{Text: req.Key, Key: id, Version: version}}, Context: contextOf(req.Context)}
	return r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		if t.Key != id || t.Version != version {
			return gate.Outcome{}, gate.Errorf(gate.IncorrectKey, "the ciphertext was not made with the key named")
		}
		out.KeyID, out.Version = t.Key, t.Version
		err := m.ring.use(ctx, a, t, func(k *crypt.Key) error {
			var err error
			out.Plaintext, err = k.Decrypt(req.Context, req.Ciphertext)
			return err
		})
		if errors.Is(err, crypt.ErrDecrypt) {
			err = invalidCiphertext()
		}
		return gate.Outcome{}, err
	}, nil
}
