package client

import "context"

// GenerateMACRequest is what to make a MAC of, 1 to 4,096 bytes, and with which HMAC key. Key and
// Message are required; a key has one algorithm.
type GenerateMACRequest struct {
	Key       string    `json:"key"`
	Message   Sensitive `json:"message"`
	Algorithm string    `json:"algorithm,omitzero"`
}

// GenerateMACResponse is a MAC, not truncated.
type GenerateMACResponse struct {
	MAC       []byte `json:"mac"`
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`
	Version   uint32 `json:"version"`
}

// GenerateMAC makes a MAC with the key's primary, or with the version named by @N.
func (c *Client) GenerateMAC(ctx context.Context, request GenerateMACRequest) (*GenerateMACResponse, error) {
	return call[GenerateMACRequest, GenerateMACResponse](ctx, c, operation{name: "generate-mac"}, request)
}

// VerifyMACRequest asks whether MAC is the key's of Message. All but Algorithm are required.
type VerifyMACRequest struct {
	Key       string    `json:"key"`
	Message   Sensitive `json:"message"`
	MAC       []byte    `json:"mac"`
	Algorithm string    `json:"algorithm,omitzero"`
}

// VerifyMAC tells whether a MAC is valid: that of the version named by @N or, with a bare key, of
// any of its versions that may still be used.
func (c *Client) VerifyMAC(ctx context.Context, request VerifyMACRequest) (*Verified, error) {
	return call[VerifyMACRequest, Verified](ctx, c, operation{name: "verify-mac"}, request)
}
