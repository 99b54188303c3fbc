package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// SealRequest asks to seal up to MaxSealed bytes to a transport key, for a context.
type SealRequest struct {
	Key       string  `json:"key"`
	Plaintext []byte  `json:"plaintext"`
	Context   Context `json:"context,omitzero"`
}

// SealAnswer is a sealed message, which names its key and version.
type SealAnswer struct {
	Ciphertext []byte  `json:"ciphertext"`
	KeyID      gate.ID `json:"key_id"`
	Version    uint32  `json:"version"`
}

// HPKESeal seals a message to the key's primary, or to the version named.
func (m *Manager) HPKESeal(ctx context.Context, c *gate.Call, req SealRequest) (*SealAnswer, error) {
	if n := len(req.Plaintext); n == 0 || n > MaxSealed {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "plaintext is 1 to %d bytes", MaxSealed))
	}
	var out SealAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Asked: gate.Asked{Context: recorded(req.Context)}}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		public, err := m.ring.public(t)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = SealAnswer{KeyID: t.Key, Version: t.Version}
		out.Ciphertext, err = public.Seal(t.Key, t.Version, req.Context, req.Plaintext)
		return gate.Outcome{}, targetKind(t).wrongly(t.Key, err)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
