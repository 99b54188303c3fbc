package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// VerifyRequest asks whether Signature is the key's of what SignRequest names. With KEY@N it must
// be that version's; with a bare key, that of any of its newest 100 versions.
type VerifyRequest struct {
	Key        string
	Message    []byte
	Digest     []byte
	ExternalMu []byte
	Signature  []byte
	Algorithm  Algorithm
}

// VerifyAnswer tells whether the signature is valid, and of which version: without one that fits,
// of the version asked.
type VerifyAnswer struct {
	Valid   bool
	KeyID   gate.ID
	Version uint32
	// Reason is why it is not: "compromised" when a compromised version fits, whatever other version
	// may fit too, since anyone may have made the signature and dated it back; "incomplete" when none fits and some version could not
	// be asked, so that naming the version may answer otherwise.
	Reason string
}

// Verify tells whether a signature is valid. It needs no secret: versions that were destroyed in
// good order verify what they signed.
func (m *Manager) Verify(ctx context.Context, c *gate.Call, req VerifyRequest) (*VerifyAnswer, error) {
	kind, message, err := messageOf(req.Message, req.Digest, req.ExternalMu)
	if err == nil && len(req.Signature) == 0 {
		err = gate.Errorf(gate.InvalidRequest, "signature is required")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out VerifyAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Asked: signing(req.Algorithm, kind)}
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		algorithm := of.algorithm(req.Algorithm)
		out = VerifyAnswer{KeyID: t.Key, Version: t.Version}
		found, left, err := m.ring.find(ctx, a, lifecycle.VerifySignature, func(t *gate.Target, trusted bool) (bool, error) {
			public, err := m.ring.public(t)
			if err == nil {
				err = public.Verify(algorithm, kind, message, req.Signature)
			}
			if errors.Is(err, crypt.ErrSignature) {
				return false, nil
			}
			out.Valid = err == nil && trusted
			return err == nil, of.unsigned(t.Key, algorithm, kind, err)
		})
		if err != nil {
			return gate.Outcome{}, err
		}
		switch {
		case found != nil:
			out.Version = found.Version
			if !out.Valid {
				out.Reason = string(lifecycle.ReasonCompromised)
			}
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

// incomplete is the reason of a verification that could not ask every version.
const incomplete = "incomplete"

// validTrue ends the parameters of the record of a verification that succeeded: see [layer.count].
const validTrue = ";valid=true"

func validity(valid bool) string {
	if valid {
		return validTrue
	}
	return ";valid=false"
}
