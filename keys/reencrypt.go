package keys

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
)

// ReEncryptRequest asks to decrypt Ciphertext, which DecryptRequest explains, and to encrypt what
// it holds under Key, as EncryptRequest explains. Key may be the source's own: then its primary.
type ReEncryptRequest struct {
	Ciphertext      []byte    `json:"ciphertext"`
	SourceKey       string    `json:"source_key,omitzero"`
	SourceContext   Context   `json:"source_context,omitzero"`
	SourceAlgorithm Algorithm `json:"source_algorithm,omitzero"`

	Key       string    `json:"key"`
	Context   Context   `json:"context,omitzero"`
	Algorithm Algorithm `json:"algorithm,omitzero"`
}

// ReEncryptAnswer is the new ciphertext and what the two were encrypted under.
type ReEncryptAnswer struct {
	Ciphertext    []byte    `json:"ciphertext"`
	KeyID         gate.ID   `json:"key_id"`
	Version       uint32    `json:"version"`
	Algorithm     Algorithm `json:"algorithm,omitzero"`
	SourceKeyID   gate.ID   `json:"source_key_id"`
	SourceVersion uint32    `json:"source_version"`
}

// ReEncrypt decrypts and encrypts anew; nobody sees the plaintext. It needs the permission for both
// keys. Its record is the source's and names the destination.
func (m *Manager) ReEncrypt(ctx context.Context, c *gate.Call, req ReEncryptRequest) (*ReEncryptAnswer, error) {
	from := DecryptRequest{Key: req.SourceKey, Ciphertext: req.Ciphertext, Context: req.SourceContext, Algorithm: req.SourceAlgorithm}
	source, err := from.reference()
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out ReEncryptAnswer
	r := gate.Request{
		References: []gate.Reference{source, {Text: req.Key}},
		Asked:      encrypting(req.SourceAlgorithm, req.SourceContext), Onto: encrypting(req.Algorithm, req.Context),
	}
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		var plain DecryptAnswer
		if err := m.ring.decryptFrom(ctx, a, source, &from, &plain); err != nil {
			return gate.Outcome{}, err
		}
		defer clear(plain.Plaintext)
		var sealed EncryptAnswer
		to := EncryptRequest{Plaintext: plain.Plaintext, Context: req.Context, Algorithm: req.Algorithm}
		if err := m.ring.encryptTo(ctx, a, a.Target(1), &to, &sealed); err != nil {
			return gate.Outcome{}, err
		}
		out = ReEncryptAnswer{
			Ciphertext: sealed.Ciphertext, KeyID: sealed.KeyID, Version: sealed.Version, Algorithm: sealed.Algorithm,
			SourceKeyID: plain.KeyID, SourceVersion: plain.Version,
		}
		return gate.Outcome{Version: plain.Version, Parameters: fmt.Sprintf("to=%s@%d", out.KeyID, out.Version)}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
