package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// VerifyMACRequest asks whether MAC is the key's of a message. With KEY@N it must be that
// version's; with a bare key, that of any of its newest 100 versions that may still be used.
type VerifyMACRequest struct {
	Key       string
	Message   []byte
	MAC       []byte
	Algorithm Algorithm
}

// VerifyMACAnswer tells whether the MAC is valid, and of which version: without one that fits, of
// the version asked.
type VerifyMACAnswer struct {
	Valid   bool
	KeyID   gate.ID
	Version uint32
	// Reason is "incomplete" when none fits and some version could not be asked, because of its
	// state or because it is one of too many.
	Reason string
}

// VerifyMAC tells whether a MAC is valid, in time that does not depend on it.
func (m *Manager) VerifyMAC(ctx context.Context, c *gate.Call, req VerifyMACRequest) (*VerifyMACAnswer, error) {
	err := checkMessage(req.Message)
	if err == nil && len(req.MAC) == 0 {
		err = gate.Errorf(gate.InvalidRequest, "mac is required")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out VerifyMACAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Asked: gate.Asked{Algorithm: by(access.MACAlgorithm, req.Algorithm)}}
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		algorithm := of.algorithm(req.Algorithm)
		out = VerifyMACAnswer{KeyID: t.Key, Version: t.Version}
		found, left, err := m.ring.find(ctx, a, lifecycle.Process, func(t *gate.Target, _ bool) (bool, error) {
			err := use(ctx, m.ring, a, t, func(k *crypt.MACKey) error {
				return k.Verify(algorithm, req.Message, req.MAC)
			})
			if errors.Is(err, crypt.ErrSignature) {
				return false, nil
			}
			return err == nil, of.wrongly(t.Key, err)
		})
		if err != nil {
			return gate.Outcome{}, err
		}
		switch {
		case found != nil:
			out.Valid, out.Version = true, found.Version
		case left.any():
			out.Reason = incomplete
		}
		return gate.Outcome{Version: out.Version, Parameters: "algorithm=" + string(algorithm) + validity(out.Valid)}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
