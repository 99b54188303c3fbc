package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
)

// OpenRequest asks to open a message that was sealed for the same context. Key may be empty; if
// not, the message must be sealed to that key.
type OpenRequest struct {
	Key        string  `json:"key,omitzero"`
	Ciphertext []byte  `json:"ciphertext"`
	Context    Context `json:"context,omitzero"`
}

// OpenAnswer is a message and what it was sealed to.
type OpenAnswer struct {
	Plaintext []byte  `json:"plaintext"`
	KeyID     gate.ID `json:"key_id"`
	Version   uint32  `json:"version"`
}

// HPKEOpen opens a message with the version that it names. Every failure of the message itself is
// one error.
func (m *Manager) HPKEOpen(ctx context.Context, c *gate.Call, req OpenRequest) (*OpenAnswer, error) {
	_, id, version, err := crypt.SealedTo(req.Ciphertext)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, invalidCiphertext())
	}
	var out OpenAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key, Key: id, Version: version}}, Asked: gate.Asked{Context: recorded(req.Context)}}
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		if t.Key != id || t.Version != version {
			return gate.Outcome{}, gate.Errorf(gate.IncorrectKey, "the message was not sealed to the key named")
		}
		out = OpenAnswer{KeyID: t.Key, Version: t.Version}
		err := use(ctx, m.ring, a, t, func(k *crypt.HPKEKey) error {
			var err error
			out.Plaintext, err = k.Open(req.Context, req.Ciphertext)
			return err
		})
		if errors.Is(err, crypt.ErrDecrypt) {
			err = invalidCiphertext()
		}
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
