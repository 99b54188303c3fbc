package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

// EncryptRequest asks to encrypt up to MaxPlaintext bytes for a context.
type EncryptRequest struct {
	Key       string
	Plaintext []byte
	Context   blob.Context
}

// EncryptAnswer is a ciphertext that names its key and version.
type EncryptAnswer struct {
	Ciphertext []byte
	KeyID      gate.ID
	Version    uint32
}

// Encrypt encrypts with the key's primary, or with the version named.
func (m *Manager) Encrypt(ctx context.Context, c *gate.Call, req EncryptRequest) (*EncryptAnswer, error) {
	var out EncryptAnswer
	r, f := m.encrypt(ctx, &req, &out)
	if err := m.gate.Do(ctx, c, r, f); err != nil {
		return nil, err
	}
	return &out, nil
}

func (m *Manager) encrypt(ctx context.Context, req *EncryptRequest, out *EncryptAnswer) (gate.Request, gate.Function) {
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Context: contextOf(req.Context), RotateFirst: m.rotate}
	return r, func(a gate.Approved) (gate.Outcome, error) {
		if n := len(req.Plaintext); n == 0 || n > MaxPlaintext {
			return gate.Outcome{}, gate.Errorf(gate.InvalidRequest, "plaintext is 1 to %d bytes; for more, encrypt under a data key", MaxPlaintext)
		}
		t := a.Target(0)
		out.KeyID, out.Version = t.Key, t.Version
		return gate.Outcome{}, m.ring.use(ctx, a, t, func(k *crypt.Key) error {
			var err error
			out.Ciphertext, err = k.Encrypt(req.Context, req.Plaintext)
			return err
		})
	}
}

// contextOf is a context as the record takes it: nothing where there is none.
func contextOf(c blob.Context) []byte {
	if c.Len() == 0 {
		return nil
	}
	return c.Encoded()
}
