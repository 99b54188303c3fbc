package client

import "context"

// ReEncryptRequest asks to decrypt Ciphertext, as [DecryptRequest] explains for the members that
// begin with Source, and to encrypt what it holds under Key, as [EncryptRequest] explains for the
// others. Ciphertext and Key are required; Key may be the source's own: then its primary.
type ReEncryptRequest struct {
	Ciphertext      []byte            `json:"ciphertext"`
	SourceKey       string            `json:"source_key,omitzero"`
	SourceContext   map[string]string `json:"source_context,omitzero"`
	SourceAlgorithm string            `json:"source_algorithm,omitzero"`

	Key       string            `json:"key"`
	Context   map[string]string `json:"context,omitzero"`
	Algorithm string            `json:"algorithm,omitzero"`
}

// ReEncryptResponse is the new ciphertext, and what the two were encrypted under.
type ReEncryptResponse struct {
	Ciphertext    []byte `json:"ciphertext"`
	KeyID         string `json:"key_id"`
	Version       uint32 `json:"version"`
	Algorithm     string `json:"algorithm,omitzero"`
	SourceKeyID   string `json:"source_key_id"`
	SourceVersion uint32 `json:"source_version"`
}

// ReEncrypt decrypts and encrypts anew within the server: the plaintext does not leave it. It needs
// the permission for both keys.
func (c *Client) ReEncrypt(ctx context.Context, request ReEncryptRequest) (*ReEncryptResponse, error) {
	return call[ReEncryptRequest, ReEncryptResponse](ctx, c, operation{name: "re-encrypt"}, request)
}
