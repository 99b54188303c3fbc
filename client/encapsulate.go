package client

import "context"

// EncapsulateRequest asks for a new secret to share with the holder of an ML-KEM key. Key is
// required.
type EncapsulateRequest struct {
	Key       string `json:"key"`
	Algorithm string `json:"algorithm,omitzero"`
}

// EncapsulateResponse is the secret, 32 bytes, and the ciphertext that gives it to the holder. The
// ciphertext does not name its key: keep KeyID and Version beside it.
type EncapsulateResponse struct {
	SharedSecret Sensitive `json:"shared_secret"`
	Ciphertext   []byte    `json:"ciphertext"`
	Algorithm    string    `json:"algorithm"`
	KeyID        string    `json:"key_id"`
	Version      uint32    `json:"version"`
}

// Encapsulate makes a secret and encapsulates it to the key's primary, or to the version named by
// @N.
func (c *Client) Encapsulate(ctx context.Context, request EncapsulateRequest) (*EncapsulateResponse, error) {
	return call[EncapsulateRequest, EncapsulateResponse](ctx, c, operation{name: "encapsulate"}, request)
}

// DecapsulateRequest asks for the secret of a ciphertext. Key and Ciphertext are required. Name the
// version that Encapsulate answered: after a rotation a bare key is refused.
type DecapsulateRequest struct {
	Key        string `json:"key"`
	Ciphertext []byte `json:"ciphertext"`
	Algorithm  string `json:"algorithm,omitzero"`
}

// DecapsulateResponse is the secret.
type DecapsulateResponse struct {
	SharedSecret Sensitive `json:"shared_secret"`
	Algorithm    string    `json:"algorithm"`
	KeyID        string    `json:"key_id"`
	Version      uint32    `json:"version"`
}

// Decapsulate returns the secret that was encapsulated. A ciphertext that was altered, or is
// another version's, gives another secret and no error (FIPS 203): what is done with the secret has
// to show that both sides have the same.
func (c *Client) Decapsulate(ctx context.Context, request DecapsulateRequest) (*DecapsulateResponse, error) {
	return call[DecapsulateRequest, DecapsulateResponse](ctx, c, operation{name: "decapsulate"}, request)
}
