package keys

import (
	"context"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// DataKeyPairRequest asks for a key pair for use outside Haven. Plaintext false leaves the plain
// private key out of the answer; nil is true.
type DataKeyPairRequest struct {
	Key       string  `json:"key"`
	Spec      Spec    `json:"key_pair_spec"`
	Context   Context `json:"context,omitzero"`
	Plaintext *bool   `json:"plaintext,omitzero"`
}

// DataKeyPairAnswer is a key pair: the private key as PKCS #8 in DER, to use and forget, the same
// encrypted, to keep, and the public key, as the DER of a SubjectPublicKeyInfo.
type DataKeyPairAnswer struct {
	PrivateKeyPlaintext  []byte  `json:"private_key_plaintext,omitzero"`
	PrivateKeyCiphertext []byte  `json:"private_key_ciphertext"`
	PublicKey            []byte  `json:"public_key"`
	Spec                 Spec    `json:"key_pair_spec"`
	KeyID                gate.ID `json:"key_id"`
	Version              uint32  `json:"version"`
}

// GenerateDataKeyPair makes a key pair. Haven keeps no part of it; Decrypt gives the private key
// back.
func (m *Manager) GenerateDataKeyPair(ctx context.Context, c *gate.Call, req DataKeyPairRequest) (*DataKeyPairAnswer, error) {
	if err := checkPairSpec(req.Spec); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	pair := Kind{Type: Signing, Spec: req.Spec, Usage: crypt.SignVerify}
	var made fresh
	defer made.destroy()
	var out DataKeyPairAnswer
	asked := encrypting(crypt.FormatV1, req.Context)
	asked.Values = value(access.DataKeyPairSpec, string(req.Spec))
	r := gate.Request{
		References: []gate.Reference{{Text: req.Key}}, Asked: asked,
		Parameters: "spec=" + string(req.Spec),
	}
	if req.Plaintext != nil && !*req.Plaintext {
		r.As = gate.GenerateDataKeyPairWithoutPlaintext
	}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		if err := made.make(pair, m.random); err != nil {
			return gate.Outcome{}, err
		}
		t := a.Target(0)
		out = DataKeyPairAnswer{PublicKey: made.public, Spec: req.Spec, KeyID: t.Key, Version: t.Version}
		err := use(ctx, m.ring, a, t, func(k *crypt.Key) error {
			var err error
			out.PrivateKeyCiphertext, err = k.Encrypt(req.Context, secret.Expose(made.material))
			return err
		})
		if err == nil && (req.Plaintext == nil || *req.Plaintext) {
			out.PrivateKeyPlaintext = append([]byte(nil), secret.Expose(made.material)...)
		}
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func checkPairSpec(s Spec) error {
	row, err := crypt.Table().Row(s)
	if err != nil || !row.DataKeyPair {
		return gate.Errorf(gate.InvalidRequest, "key_pair_spec is one of RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_NIST_EDWARDS25519")
	}
	if crypt.Supported(s, row.Uses[0].Usage) != nil {
		return gate.Errorf(gate.Unsupported, "key pairs of spec %s are not available in FIPS 140-3 mode", s)
	}
	return nil
}
