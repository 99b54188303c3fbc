package client

import (
	"context"
	"encoding/json"
)

// PublicKey is the public half of one version of a key pair.
type PublicKey struct {
	KeyID   string `json:"key_id"`
	Version uint32 `json:"version"`
	// State tells, of a compromised version, that nothing it verifies is to be believed.
	State      State    `json:"state"`
	Spec       string   `json:"spec"`
	KeyUsage   string   `json:"key_usage"`
	Algorithms []string `json:"algorithms"`
	// PublicKey is the DER of an X.509 SubjectPublicKeyInfo; for HPKE keys, for which no standard
	// has one, the KEM id (2 bytes, RFC 9180) and the serialised key.
	PublicKey []byte `json:"public_key"`
	// PEM and JWK are there where a standard has them; Thumbprint is the JWK's (RFC 7638).
	PEM        string          `json:"pem,omitzero"`
	JWK        json.RawMessage `json:"jwk,omitzero"`
	Thumbprint string          `json:"thumbprint,omitzero"`
	// Fingerprint is the hexadecimal SHA-256 of PublicKey.
	Fingerprint string `json:"fingerprint"`
}

// GetPublicKey returns the public half of the key's primary, or of the version named by @N, even
// of one that was destroyed.
func (c *Client) GetPublicKey(ctx context.Context, key string) (*PublicKey, error) {
	return call[keyRequest, PublicKey](ctx, c, operation{name: "get-public-key"}, keyRequest{key})
}
