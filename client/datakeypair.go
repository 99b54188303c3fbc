package client

import "context"

// GenerateDataKeyPairRequest asks for a key pair for use outside the server. Key, which encrypts
// the private key, and KeyPairSpec, such as "ECC_NIST_P256", are required.
type GenerateDataKeyPairRequest struct {
	Key         string            `json:"key"`
	KeyPairSpec string            `json:"key_pair_spec"`
	Context     map[string]string `json:"context,omitzero"`
	// Plaintext says whether the plain private key is wanted too; nil is true.
	Plaintext *bool `json:"plaintext,omitzero"`
}

// GenerateDataKeyPairResponse is a key pair: PrivateKeyPlaintext, PKCS #8 in DER, to use and
// forget, PrivateKeyCiphertext to keep, which Decrypt gives back, and PublicKey, the DER of an
// X.509 SubjectPublicKeyInfo.
type GenerateDataKeyPairResponse struct {
	PrivateKeyPlaintext  Sensitive `json:"private_key_plaintext,omitzero"`
	PrivateKeyCiphertext []byte    `json:"private_key_ciphertext"`
	PublicKey            []byte    `json:"public_key"`
	KeyPairSpec          string    `json:"key_pair_spec"`
	KeyID                string    `json:"key_id"`
	Version              uint32    `json:"version"`
}

// GenerateDataKeyPair makes a key pair. The server keeps no part of it.
func (c *Client) GenerateDataKeyPair(ctx context.Context, request GenerateDataKeyPairRequest) (*GenerateDataKeyPairResponse, error) {
	return call[GenerateDataKeyPairRequest, GenerateDataKeyPairResponse](ctx, c, operation{name: "generate-data-key-pair"}, request)
}
