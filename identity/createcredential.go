package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// maxCertificate bounds a certificate in PEM, in bytes.
const maxCertificate = 16 << 10

// CreateCredentialRequest asks for a new credential of a principal; "" is the caller.
type CreateCredentialRequest struct {
	Principal string `json:"principal,omitzero"`
	// Type is bearer, access-key or client-certificate.
	Type string `json:"type"`
	// ExpiresAt is its first moment of being nobody's; absent: it lasts until it is deleted.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Certificate, in PEM, is that of a client-certificate: its own validity bounds it.
	Certificate string `json:"certificate,omitzero"`
}

// CreateCredential makes a credential. Its secret stands in this one answer.
func (m *Manager) CreateCredential(ctx context.Context, c *gate.Call, req CreateCredentialRequest) (*Credential, error) {
	pinned, err := checkCredential(req.Type, req.Certificate)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Credential
	return m.credentials(ctx, c, req.Principal, &out, func(e *edit) (*Credential, error) {
		if !req.ExpiresAt.IsZero() && !e.now.Before(req.ExpiresAt) {
			return nil, gate.Errorf(gate.InvalidRequest, "expires_at is a time to come")
		}
		if err := e.room(); err != nil {
			return nil, err
		}
		return e.issue(req.Type, req.ExpiresAt, pinned)
	})
}

// checkCredential refuses what is no type, and reads the certificate where it is one.
func checkCredential(kind, text string) (*x509.Certificate, error) {
	switch {
	case kind != bearer && kind != accessKey && kind != clientCertificate:
		return nil, gate.Errorf(gate.InvalidRequest, "type is bearer, access-key or client-certificate")
	case kind != clientCertificate && text != "":
		return nil, gate.Errorf(gate.InvalidRequest, "certificate belongs to a client-certificate alone")
	case kind != clientCertificate:
		return nil, nil
	}
	wrong := gate.Errorf(gate.InvalidRequest, "certificate is one X.509 certificate in PEM, of at most %d bytes", maxCertificate)
	if len(text) > maxCertificate {
		return nil, wrong
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, wrong
	}
	pinned, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, wrong
	}
	return pinned, nil
}

// room makes room for one more credential by dropping those that expired, or refuses.
func (e *edit) room() error {
	items, err := e.m.directory.credentialsOf(e.ctx, e.id, MaxCredentials)
	if err != nil || len(items) < MaxCredentials {
		return err
	}
	dropped := 0
	for i := range items {
		b, err := decodeCredential(&items[i])
		if err != nil {
			return err
		}
		if b.expired(e.now) {
			dropped++
			if err := e.dropCredential(&items[i]); err != nil {
				return err
			}
		}
	}
	if dropped == 0 {
		return gate.Errorf(gate.LimitExceeded, "a principal has at most %d credentials: delete one that is not needed", MaxCredentials)
	}
	e.told.Add("expired=%d", dropped)
	return nil
}

// issue stages a new credential and returns it with its secret.
func (e *edit) issue(kind string, expires time.Time, pinned *x509.Certificate) (*Credential, error) {
	b := &credentialBody{Type: kind, Principal: e.id, Created: e.now, Expires: expires}
	var hash [32]byte
	var token, key secret.Bytes
	var err error
	switch kind {
	case bearer:
		if token, err = NewToken(e.m.random); err != nil {
			return nil, err
		}
		hash = sha256.Sum256(secret.Expose(token))
	case accessKey:
		if b.KeyID, key, err = newAccessKey(e.m.random); err != nil {
			return nil, err
		}
		if b.Secret, err = e.m.directory.secrets.Seal(b.KeyID, key); err != nil {
			return nil, err
		}
		hash = sha256.Sum256([]byte(b.KeyID))
	case clientCertificate:
		hash = sha256.Sum256(pinned.Raw)
		if err := e.pin(b, hash, pinned); err != nil {
			return nil, err
		}
	}
	defer token.Destroy()
	defer key.Destroy()
	if err := e.putCredential(hash, b, nil); err != nil {
		return nil, err
	}
	if !b.Expires.IsZero() {
		e.told.Add("expires_at=%s", b.Expires.UTC().Format(time.RFC3339))
	}
	made := e.credentialDocument(hash, b)
	made.Token, made.SecretAccessKey = string(secret.Expose(token)), string(secret.Expose(key))
	return &made, nil
}

// pin bounds a certificate's credential by its own validity, and refuses one that is over, or that
// somebody has already.
func (e *edit) pin(b *credentialBody, hash [32]byte, pinned *x509.Certificate) error {
	// Its last second is part of its validity (RFC 5280, 4.1.2.5).
	end := pinned.NotAfter.Add(time.Second)
	if b.Begins = pinned.NotBefore; b.Expires.IsZero() || end.Before(b.Expires) {
		b.Expires = end
	}
	if b.expired(e.now) {
		return gate.Errorf(gate.InvalidRequest, "the certificate is no longer valid")
	}
	items, err := e.m.directory.read(e.ctx, e.a, credentialRef(hash))
	if err == nil && items[0].Revision > 0 {
		err = gate.Errorf(gate.AlreadyExists, "the certificate is a credential already: %s", hex.EncodeToString(hash[:]))
	}
	return err
}
