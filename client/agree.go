package client

import "context"

// DeriveSharedSecretRequest asks for the secret that a key shares with the holder of PublicKey, the
// DER of a key of the same spec. Key and PublicKey are required. Both sides have to mean the same
// version: once the key was rotated, Key has to name it.
type DeriveSharedSecretRequest struct {
	Key       string `json:"key"`
	PublicKey []byte `json:"public_key"`
	Algorithm string `json:"algorithm,omitzero"`
}

// DeriveSharedSecretResponse is the shared secret, the x-coordinate of ECDH. It is no key yet:
// derive keys from it by a KDF that binds both public keys.
type DeriveSharedSecretResponse struct {
	SharedSecret Sensitive `json:"shared_secret"`
	Algorithm    string    `json:"algorithm"`
	KeyID        string    `json:"key_id"`
	Version      uint32    `json:"version"`
}

// DeriveSharedSecret agrees on a secret with the holder of another key.
func (c *Client) DeriveSharedSecret(ctx context.Context, request DeriveSharedSecretRequest) (*DeriveSharedSecretResponse, error) {
	return call[DeriveSharedSecretRequest, DeriveSharedSecretResponse](ctx, c, operation{name: "derive-shared-secret"}, request)
}
