package client

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// GetParametersForImportRequest says for which key material is to be wrapped. Key is required: alone
// it means the version that awaits its material or else the next one; KEY@N brings the same material
// of version N back.
type GetParametersForImportRequest struct {
	Key string `json:"key"`
	// WrappingAlgorithm is RSAES_OAEP_SHA_256 if empty; for RSA keys RSA_AES_KEY_WRAP_SHA_256.
	WrappingAlgorithm string `json:"wrapping_algorithm,omitzero"`
	WrappingKeySpec   string `json:"wrapping_key_spec,omitzero"` // empty: RSA_4096
}

// ImportParameters are good until ValidTo, for one import into Version by who asked for them.
type ImportParameters struct {
	KeyID             string    `json:"key_id"`
	Version           uint32    `json:"version"`
	Spec              string    `json:"spec"`
	WrappingAlgorithm string    `json:"wrapping_algorithm"`
	WrappingKeySpec   string    `json:"wrapping_key_spec"`
	PublicKey         []byte    `json:"public_key"` // the DER of an X.509 SubjectPublicKeyInfo
	ImportToken       []byte    `json:"import_token"`
	ValidTo           time.Time `json:"valid_to"`
}

// GetParametersForImport returns a one-time public key to wrap material with.
func (c *Client) GetParametersForImport(ctx context.Context, request GetParametersForImportRequest) (*ImportParameters, error) {
	return call[GetParametersForImportRequest, ImportParameters](ctx, c, operation{name: "get-parameters-for-import"}, request)
}

// WrapForImport wraps material as the parameters ask: 32 bytes for AES, as many as the spec wants for
// HMAC, PKCS #8 in DER for RSA, EC and Ed25519. It neither keeps nor wipes the material.
func (c *Client) WrapForImport(p *ImportParameters, material Sensitive) ([]byte, error) {
	public, err := crypt.ParsePublicKey(crypt.Spec(p.WrappingKeySpec), p.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("client: the wrapping key: %w", err)
	}
	own := secret.New(bytes.Clone(material))
	defer own.Destroy()
	wrapped, err := public.WrapMaterial(c.random, crypt.Algorithm(p.WrappingAlgorithm), own)
	if err != nil {
		return nil, fmt.Errorf("client: wrapping material for %s: %w", p.Spec, err)
	}
	return wrapped, nil
}

// ImportKeyMaterialRequest is wrapped material. Key, ImportToken and EncryptedMaterial are required.
type ImportKeyMaterialRequest struct {
	Key               string    `json:"key"`
	ImportToken       []byte    `json:"import_token"`
	EncryptedMaterial []byte    `json:"encrypted_material"`
	ValidTo           time.Time `json:"valid_to,omitzero"` // when it ends; zero: never
}

// ImportKeyMaterial makes wrapped material the key's primary, or brings the same material of a
// version back. InvalidCiphertext is the answer to all that is wrong with token or material.
func (c *Client) ImportKeyMaterial(ctx context.Context, request ImportKeyMaterialRequest) (*Key, error) {
	return call[ImportKeyMaterialRequest, Key](ctx, c, operation{"import-key-material", true}, request)
}

// Import does it all: it gets parameters, wraps the material with them and imports it. The material
// leaves this process only wrapped. A zero validTo is never.
func (c *Client) Import(ctx context.Context, key string, material Sensitive, validTo time.Time) (*Key, error) {
	p, err := c.GetParametersForImport(ctx, GetParametersForImportRequest{Key: key})
	if err != nil {
		return nil, err
	}
	wrapped, err := c.WrapForImport(p, material)
	if err != nil {
		return nil, err
	}
	return c.ImportKeyMaterial(ctx, ImportKeyMaterialRequest{
		Key: key, ImportToken: p.ImportToken, EncryptedMaterial: wrapped, ValidTo: validTo,
	})
}

// DeleteImportedKeyMaterial deletes the imported material of KEY@N, or of the primary, at once. The
// same material can be imported again.
func (c *Client) DeleteImportedKeyMaterial(ctx context.Context, key string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"delete-imported-key-material", true}, keyRequest{key})
}
