package keys

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// PublicKey is the public half of one version of a key pair.
type PublicKey struct {
	KeyID   gate.ID `json:"key_id"`
	Version uint32  `json:"version"`
	// State tells, of a compromised version, that nothing it verifies is to be believed.
	State      lifecycle.State `json:"state"`
	Spec       Spec            `json:"spec"`
	Usage      Usage           `json:"key_usage"`
	Algorithms []Algorithm     `json:"algorithms"`
	// PublicKey is the DER of an X.509 SubjectPublicKeyInfo; for HPKE keys, for which no standard
	// has one, the KEM id and the serialised key (RFC 9180).
	PublicKey []byte `json:"public_key"`
	// PEM and JWK are there where a standard has them; JWK has its thumbprint (RFC 7638) as kid.
	PEM         string         `json:"pem,omitzero"`
	JWK         jsontext.Value `json:"jwk,omitzero"`
	Thumbprint  string         `json:"thumbprint,omitzero"`
	Fingerprint string         `json:"fingerprint"` // hexadecimal SHA-256 of PublicKey
}

// GetPublicKey shows the public half of the primary, or of the version named; of a version that was
// destroyed too.
func (m *Manager) GetPublicKey(ctx context.Context, c *gate.Call, req KeyRequest) (*PublicKey, error) {
	var out PublicKey
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		public, err := m.ring.public(t)
		if err != nil {
			return gate.Outcome{}, err
		}
		kind := targetKind(t)
		out = PublicKey{
			KeyID: t.Key, Version: t.Version, State: lifecycle.Effective(t.State, t.Material, a.Time()),
			Spec: kind.Spec, Usage: kind.Usage, Algorithms: kind.algorithms(),
			PublicKey: public.Bytes(), Fingerprint: public.Fingerprint(),
		}
		return gate.Outcome{}, out.encode(public)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// encode adds the encodings that there are for the key.
func (p *PublicKey) encode(public *crypt.PublicKey) error {
	pem, err := public.PEM()
	if err != nil && !errors.Is(err, crypt.ErrEncoding) {
		return err
	}
	p.PEM = string(pem)
	if p.JWK, err = public.JWK(); err == nil {
		p.Thumbprint, err = public.Thumbprint()
	}
	if errors.Is(err, crypt.ErrEncoding) {
		return nil
	}
	return err
}
