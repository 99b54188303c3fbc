package client

import "context"

// HPKESealRequest is a message of up to 64 KiB and the transport key to seal it to. Key and
// Plaintext are required.
type HPKESealRequest struct {
	Key       string    `json:"key"`
	Plaintext Sensitive `json:"plaintext"`
	// Context is authenticated, not encrypted, and recorded: the same must be given to open.
	Context map[string]string `json:"context,omitzero"`
}

// HPKESealResponse is a sealed message, which names its key and version, and those two.
type HPKESealResponse struct {
	Ciphertext []byte `json:"ciphertext"`
	KeyID      string `json:"key_id"`
	Version    uint32 `json:"version"`
}

// HPKESeal seals a message (RFC 9180) to the key's primary, or to the version named by @N. Who
// seals it is not authenticated: a signature does that.
func (c *Client) HPKESeal(ctx context.Context, request HPKESealRequest) (*HPKESealResponse, error) {
	return call[HPKESealRequest, HPKESealResponse](ctx, c, operation{name: "hpke-seal"}, request)
}

// HPKEOpenRequest is a sealed message. Ciphertext is required; a Key, if given, must be the one it
// was sealed to.
type HPKEOpenRequest struct {
	Ciphertext []byte            `json:"ciphertext"`
	Context    map[string]string `json:"context,omitzero"`
	Key        string            `json:"key,omitzero"`
}

// HPKEOpenResponse is a message and what it was sealed to.
type HPKEOpenResponse struct {
	Plaintext Sensitive `json:"plaintext"`
	KeyID     string    `json:"key_id"`
	Version   uint32    `json:"version"`
}

// HPKEOpen opens a message with the version that it names.
func (c *Client) HPKEOpen(ctx context.Context, request HPKEOpenRequest) (*HPKEOpenResponse, error) {
	return call[HPKEOpenRequest, HPKEOpenResponse](ctx, c, operation{name: "hpke-open"}, request)
}
