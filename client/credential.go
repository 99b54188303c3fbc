package client

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// CredentialType is how a credential proves its principal.
type CredentialType string

// The types of credentials.
const (
	BearerToken       CredentialType = "bearer"             // a token
	AccessKey         CredentialType = "access-key"         // for requests signed as for AWS
	ClientCertificate CredentialType = "client-certificate" // of a TLS connection
)

// Credential is a credential. Token and SecretAccessKey stand only in the answer that made it.
type Credential struct {
	ID         string         `json:"id"`
	Type       CredentialType `json:"type"`
	Principal  string         `json:"principal"` // its ARN
	Active     bool           `json:"active"`
	CreatedAt  time.Time      `json:"created_at"`
	ExpiresAt  time.Time      `json:"expires_at,omitzero"`   // zero: never
	LastUsedOn string         `json:"last_used_on,omitzero"` // a day, UTC; empty: never

	Token           string `json:"token,omitzero"`
	SecretAccessKey string `json:"secret_access_key,omitzero"`
	// Replayed says that an earlier try had done it, and its answer was lost with the secret: rotate
	// the credential.
	Replayed bool `json:"replayed,omitzero"`
}

// Format implements [fmt.Formatter] for every verb: it tells which credential it is, and no secret.
func (c Credential) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s credential %s", string(c.Type), c.ID)
}

// LogValue implements [slog.LogValuer].
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// CreateCredentialRequest asks for a credential. Type is required; an empty Principal is the caller.
type CreateCredentialRequest struct {
	Principal   string         `json:"principal,omitzero"`
	Type        CredentialType `json:"type"`
	ExpiresAt   time.Time      `json:"expires_at,omitzero"`  // zero: it lasts until it is deleted
	Certificate string         `json:"certificate,omitzero"` // PEM, of a ClientCertificate
}

// CreateCredential gives a principal a credential. The answer alone has its secret.
func (c *Client) CreateCredential(ctx context.Context, request CreateCredentialRequest) (*Credential, error) {
	return call[CreateCredentialRequest, Credential](ctx, c, operation{"create-credential", true}, request)
}

// CredentialList is all that a principal has, the newest last.
type CredentialList struct {
	Credentials []Credential `json:"credentials"`
}

type listCredentialsRequest struct {
	Principal string `json:"principal,omitzero"`
}

// ListCredentials returns the credentials of a principal, "" being the caller, without secrets.
func (c *Client) ListCredentials(ctx context.Context, principal string) (*CredentialList, error) {
	return call[listCredentialsRequest, CredentialList](ctx, c, operation{name: "list-credentials"}, listCredentialsRequest{principal})
}

// UpdateCredentialRequest names a credential and whether it is to prove anybody.
type UpdateCredentialRequest struct {
	Principal  string `json:"principal,omitzero"` // empty: the caller
	Credential string `json:"credential"`
	Active     bool   `json:"active"`
}

// UpdateCredential makes a credential inactive, or active again.
func (c *Client) UpdateCredential(ctx context.Context, request UpdateCredentialRequest) (*Credential, error) {
	return call[UpdateCredentialRequest, Credential](ctx, c, operation{"update-credential", true}, request)
}

// RotateCredentialRequest names a credential to be replaced by another of its type.
type RotateCredentialRequest struct {
	Principal  string `json:"principal,omitzero"` // empty: the caller
	Credential string `json:"credential"`
	// OverlapSeconds is how long the old one goes on; nil: a day; 0: it ends at once.
	OverlapSeconds *int      `json:"overlap_seconds,omitzero"`
	ExpiresAt      time.Time `json:"expires_at,omitzero"`  // the new one's; zero: never
	Certificate    string    `json:"certificate,omitzero"` // the new one, of a ClientCertificate
}

// RotateCredential replaces a credential. The answer alone has the new secret.
func (c *Client) RotateCredential(ctx context.Context, request RotateCredentialRequest) (*Credential, error) {
	return call[RotateCredentialRequest, Credential](ctx, c, operation{"rotate-credential", true}, request)
}

// DeleteCredentialRequest names a credential.
type DeleteCredentialRequest struct {
	Principal  string `json:"principal,omitzero"` // empty: the caller
	Credential string `json:"credential"`
}

// DeleteCredential ends a credential: when it has returned, it proves nobody.
func (c *Client) DeleteCredential(ctx context.Context, request DeleteCredentialRequest) error {
	_, err := call[DeleteCredentialRequest, struct{}](ctx, c, operation{"delete-credential", true}, request)
	return err
}
