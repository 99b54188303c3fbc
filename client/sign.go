package client

import "context"

// SignRequest is what to sign, and with which signing key. Key and one of Message, Digest and
// ExternalMu are required; what is longer than 4 KiB is signed by its [Digest] or, under ML-DSA, its
// [ExternalMu].
type SignRequest struct {
	Key string `json:"key"`
	// Message is 1 to 4,096 bytes.
	Message Sensitive `json:"message,omitzero"`
	// Digest is the message's hash, by the hash function that the algorithm names.
	Digest []byte `json:"digest,omitzero"`
	// ExternalMu is the 64-byte message representative µ of ML-DSA (FIPS 204).
	ExternalMu []byte `json:"external_mu,omitzero"`
	// Algorithm is one of the key's, such as "ECDSA_SHA_256"; empty: the first of them.
	Algorithm string `json:"algorithm,omitzero"`
}

// SignResponse is a signature: DER for ECDSA, else the bytes of the algorithm's standard.
type SignResponse struct {
	Signature []byte `json:"signature"`
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`
	Version   uint32 `json:"version"`
}

// Sign signs with the key's primary, or with the version named by @N.
func (c *Client) Sign(ctx context.Context, request SignRequest) (*SignResponse, error) {
	return call[SignRequest, SignResponse](ctx, c, operation{name: "sign"}, request)
}

// VerifyRequest asks whether Signature is the key's, of what SignRequest explains.
type VerifyRequest struct {
	Key        string    `json:"key"`
	Message    Sensitive `json:"message,omitzero"`
	Digest     []byte    `json:"digest,omitzero"`
	ExternalMu []byte    `json:"external_mu,omitzero"` // refused: µ signs, and verifies nothing
	Signature  []byte    `json:"signature"`
	Algorithm  string    `json:"algorithm,omitzero"`
}

// Reasons of a signature or MAC that is not valid.
const (
	// ReasonCompromised: a compromised version fits. Anyone may have made the signature, and dated
	// it back.
	ReasonCompromised = "compromised"
	// ReasonIncomplete: none fits, and some version could not be asked; naming it may answer
	// otherwise.
	ReasonIncomplete = "incomplete"
)

// Verified answers Verify and VerifyMAC.
type Verified struct {
	// Valid is the answer. Not every call that returns no error has found a valid signature.
	Valid bool `json:"valid"`
	// Reason is why not, where there is more to say than that none fits.
	Reason string `json:"reason,omitzero"`
	KeyID  string `json:"key_id"`
	// Version is the one that fits; without one, the version asked; 0 when the key has none that
	// could have been meant.
	Version uint32 `json:"version,omitzero"`
}

// Verify tells whether a signature is valid: that of the version named by @N or, with a bare key,
// of any of its versions, those destroyed in good order included.
func (c *Client) Verify(ctx context.Context, request VerifyRequest) (*Verified, error) {
	return call[VerifyRequest, Verified](ctx, c, operation{name: "verify"}, request)
}
