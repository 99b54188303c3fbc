package keys

import (
	"context"
	"strconv"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// DataKeyRequest asks for a data key of Bytes bytes, encrypted under
// a key for a context. WithoutPlaintext leaves the plain one out of the answer.
type DataKeyRequest struct {
	Key              string
	Bytes            Length
	Context          Context
	WithoutPlaintext bool
}

// DataKeyAnswer is a data key: Plaintext to use and forget, Ciphertext to keep.
type DataKeyAnswer struct {
	Plaintext  []byte
	Ciphertext []byte
	KeyID      gate.ID
	Version    uint32
}

// GenerateDataKey makes a data key. Haven keeps neither form.
func (m *Manager) GenerateDataKey(ctx context.Context, c *gate.Call, req DataKeyRequest) (*DataKeyAnswer, error) {
	var out DataKeyAnswer
	r, f := m.dataKey(ctx, &req, &out)
	if err := m.gate.Do(ctx, c, r, f); err != nil {
		return nil, err
	}
	return &out, nil
}

func (m *Manager) dataKey(ctx context.Context, req *DataKeyRequest, out *DataKeyAnswer) (gate.Request, gate.Function) {
	size := req.Bytes.or32()
	r := gate.Request{
		References: []gate.Reference{{Text: req.Key}}, Asked: encrypting(crypt.FormatV1, req.Context),
		Parameters: "bytes=" + strconv.Itoa(size),
	}
	if req.WithoutPlaintext {
		r.As = gate.GenerateDataKeyWithoutPlaintext
	}
	return r, func(a gate.Approved) (gate.Outcome, error) {
		key, err := m.randomBytes(size)
		if err != nil {
			return gate.Outcome{}, err
		}
		t := a.Target(0)
		out.KeyID, out.Version = t.Key, t.Version
		err = use(ctx, m.ring, a, t, func(k *crypt.Key) error {
			var err error
			out.Ciphertext, err = k.Encrypt(req.Context, secret.Expose(key))
			return err
		})
		if err != nil || req.WithoutPlaintext {
			key.Destroy()
			return gate.Outcome{}, err
		}
		out.Plaintext = secret.Expose(key)
		return gate.Outcome{}, nil
	}
}

// randomBytes returns n random bytes, 1 to MaxRandom.
func (m *Manager) randomBytes(n int) (secret.Bytes, error) {
	if n < 1 || n > MaxRandom {
		return secret.Bytes{}, Length(n).refused()
	}
	return secret.Random(m.random, n)
}
