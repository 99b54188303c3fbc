package keys

import (
	"context"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
)

// MACRequest asks for the MAC of 1 to MaxMessage bytes. An HMAC key has one algorithm; Algorithm
// may be left out.
type MACRequest struct {
	Key       string
	Message   []byte
	Algorithm Algorithm
}

// MACAnswer is a MAC, not truncated.
type MACAnswer struct {
	MAC       []byte
	Algorithm Algorithm
	KeyID     gate.ID
	Version   uint32
}

// GenerateMAC makes a MAC with the key's primary, or with the version named.
func (m *Manager) GenerateMAC(ctx context.Context, c *gate.Call, req MACRequest) (*MACAnswer, error) {
	if err := checkMessage(req.Message); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out MACAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Asked: gate.Asked{Algorithm: by(access.MACAlgorithm, req.Algorithm)}}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		out = MACAnswer{Algorithm: of.algorithm(req.Algorithm), KeyID: t.Key, Version: t.Version}
		err := use(ctx, m.ring, a, t, func(k *crypt.MACKey) error {
			var err error
			out.MAC, err = k.Generate(out.Algorithm, req.Message)
			return err
		})
		if err != nil {
			return gate.Outcome{}, of.wrongly(t.Key, err)
		}
		return gate.Outcome{Parameters: "algorithm=" + string(out.Algorithm)}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func checkMessage(b []byte) error {
	if n := len(b); n == 0 || n > MaxMessage {
		return gate.Errorf(gate.InvalidRequest, "message is 1 to %d bytes", MaxMessage)
	}
	return nil
}
