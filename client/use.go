package client

import "context"

// EncryptRequest is what to encrypt, up to 4 KiB, under which key. Key and Plaintext are required.
type EncryptRequest struct {
	Key       string    `json:"key"`
	Plaintext Sensitive `json:"plaintext"`
	// Context is authenticated, not encrypted, and recorded: the same must be given to decrypt. An
	// RSA key takes none.
	Context map[string]string `json:"context,omitzero"`
	// Algorithm is one of the key's, such as "RSAES_OAEP_SHA_256"; empty: the first of them.
	Algorithm string `json:"algorithm,omitzero"`
}

// EncryptResponse is a ciphertext and what it was encrypted under. That of a symmetric key names
// its key and version; that of an RSA key does not, and Algorithm is set: keep both beside it.
type EncryptResponse struct {
	Ciphertext []byte `json:"ciphertext"`
	KeyID      string `json:"key_id"`
	Version    uint32 `json:"version"`
	Algorithm  string `json:"algorithm,omitzero"`
}

// Encrypt encrypts with the key's primary, or with the version named by @N.
func (c *Client) Encrypt(ctx context.Context, request EncryptRequest) (*EncryptResponse, error) {
	return call[EncryptRequest, EncryptResponse](ctx, c, operation{name: opEncrypt}, request)
}

// DecryptRequest is what to decrypt. Ciphertext is required; a Key, if given, must be its own. What
// was encrypted to an RSA key names none: then Key is required too, and Algorithm unless it is the
// key's first.
type DecryptRequest struct {
	Ciphertext []byte            `json:"ciphertext"`
	Context    map[string]string `json:"context,omitzero"`
	Key        string            `json:"key,omitzero"`
	Algorithm  string            `json:"algorithm,omitzero"`
}

// DecryptResponse is a plaintext and what it was encrypted under.
type DecryptResponse struct {
	Plaintext Sensitive `json:"plaintext"`
	KeyID     string    `json:"key_id"`
	Version   uint32    `json:"version"`
}

// Decrypt decrypts with the version that the ciphertext names, or, of an RSA key, with the version
// named by @N or any that can.
func (c *Client) Decrypt(ctx context.Context, request DecryptRequest) (*DecryptResponse, error) {
	return call[DecryptRequest, DecryptResponse](ctx, c, operation{name: opDecrypt}, request)
}

// GenerateDataKeyRequest asks for a data key. Key is required.
type GenerateDataKeyRequest struct {
	Key     string            `json:"key"`
	Bytes   int               `json:"bytes,omitzero"` // 0: 32
	Context map[string]string `json:"context,omitzero"`
	// Plaintext says whether the plain key is wanted too; nil is true.
	Plaintext *bool `json:"plaintext,omitzero"`
}

// GenerateDataKeyResponse is a data key: Plaintext to use and forget, Ciphertext to keep.
type GenerateDataKeyResponse struct {
	Plaintext  Sensitive `json:"plaintext,omitzero"`
	Ciphertext []byte    `json:"ciphertext"`
	KeyID      string    `json:"key_id"`
	Version    uint32    `json:"version"`
}

// GenerateDataKey makes a data key and encrypts it.
func (c *Client) GenerateDataKey(ctx context.Context, request GenerateDataKeyRequest) (*GenerateDataKeyResponse, error) {
	return call[GenerateDataKeyRequest, GenerateDataKeyResponse](ctx, c, operation{name: opGenerateDataKey}, request)
}

// GenerateRandom returns n random bytes, 1 to 1,024; 0 means 32. The server keeps none.
func (c *Client) GenerateRandom(ctx context.Context, n int) (Sensitive, error) {
	type request struct {
		Bytes int `json:"bytes,omitzero"`
	}
	type response struct {
		Plaintext Sensitive `json:"plaintext"`
	}
	answer, err := call[request, response](ctx, c, operation{name: "generate-random"}, request{n})
	if err != nil {
		return nil, err
	}
	return answer.Plaintext, nil
}
