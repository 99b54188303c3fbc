package identity

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/internal/secret"
)

// nobody is the one answer to a proof that proves nothing.
func nobody() error {
	return gate.Errorf(gate.Unauthenticated, "no valid credential; send Authorization: Bearer with a token that is in force, sign the request with an access key, or show a registered client certificate")
}

// Authenticate implements gate.Authenticator. What a call shows must agree: what is in the
// Authorization header proves somebody or the call is nobody's, whatever else it shows, and a
// certificate that is registered must be the same principal's. One that proves nobody, since many
// programs show one to whoever asks, then adds nothing; alone it proves nobody.
func (d *Directory) Authenticate(ctx context.Context, r *gate.Reading, p *gate.Proof) (gate.Principal, error) {
	var id gate.ID
	var assumed [32]byte // the hash that a session's token is known by
	var federated *oidc.Token
	var err error
	switch {
	case !p.Local.IsZero():
		return d.principal(ctx, r, p.Local)
	case p.Unreadable:
		return gate.Principal{}, nobody()
	case p.Signed != nil:
		id, err = d.bySignature(ctx, r, p)
	case d.issuers != nil && oidc.Is(secret.Expose(p.Bearer)):
		id, federated, err = d.byIssuer(ctx, r, p.Bearer)
	case p.Bearer.Len() > 0:
		id, assumed, err = d.byToken(ctx, r, p.Bearer)
	}
	if err == nil && p.Certificate != nil {
		id, err = d.certified(ctx, r, p.Certificate, id)
	}
	if err != nil {
		return gate.Principal{}, err
	}
	if id.IsZero() {
		return gate.Principal{}, nobody()
	}
	if assumed != ([32]byte{}) {
		principal, err := d.sessions.GetComposed(ctx, r, assumed, d.loadSession)
		if err != nil {
			return gate.Principal{}, err
		}
		return *principal, nil
	}
	principal, err := d.principal(ctx, r, id)
	if err != nil || federated == nil {
		return principal, err
	}
	return asFederated(principal, federated)
}

func (d *Directory) principal(ctx context.Context, r *gate.Reading, id gate.ID) (gate.Principal, error) {
	principal, err := d.principals.GetComposed(ctx, r, id, d.loadPrincipal)
	if err != nil {
		return gate.Principal{}, err
	}
	return *principal, nil
}

// certified returns whose a certificate is, which must be the other proof's principal if there was
// one.
func (d *Directory) certified(ctx context.Context, r *gate.Reading, c *gate.Certificate, other gate.ID) (gate.ID, error) {
	id, err := d.byCertificate(ctx, r, c)
	switch {
	case errors.Is(err, gate.Unauthenticated):
		return other, nil
	case err != nil:
		return gate.ID{}, err
	case !other.IsZero() && id != other:
		return gate.ID{}, nobody()
	}
	return id, nil
}

// byToken returns whose a bearer token is; of a session's also the hash that it is known by. One that
// does not exist takes the same way as one that does, up to the look-up of its hash.
func (d *Directory) byToken(ctx context.Context, r *gate.Reading, token secret.Bytes) (id gate.ID, assumed [32]byte, err error) {
	if token.Len() > MaxToken {
		return id, assumed, nobody()
	}
	hash := sha256.Sum256(secret.Expose(token))
	c, err := d.byCredential(ctx, r, hash, bearer, session)
	if err != nil {
		return id, assumed, err
	}
	if c.Type == session {
		assumed = hash
	}
	return c.Principal, assumed, nil
}

// byCertificate returns whose a client certificate is. It is pinned: known by the SHA-256 of its
// DER, whoever issued it. That the caller holds its key the handshake has shown.
func (d *Directory) byCertificate(ctx context.Context, r *gate.Reading, c *gate.Certificate) (gate.ID, error) {
	if now := d.view.Now(); now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return gate.ID{}, nobody()
	}
	found, err := d.byCredential(ctx, r, c.Fingerprint, clientCertificate, clientCertificate)
	if err != nil {
		return gate.ID{}, err
	}
	return found.Principal, nil
}

// byCredential returns the credential that is known by a hash, if it is in force and of one of the
// types that the proof may be: the hash of an access key id, which is no secret, must not do for a token's.
// It notes the day.
func (d *Directory) byCredential(ctx context.Context, r *gate.Reading, hash [32]byte, kind, other string) (*credentialBody, error) {
	c, err := d.credentials.Get(ctx, r, hash, d.loadCredential)
	if err != nil {
		return nil, err
	}
	now := d.view.Now()
	if c.Type != kind && c.Type != other || !c.active(now) {
		return nil, nobody()
	}
	if c.Type != session {
		d.noteUse(hash, c, now)
	}
	return c, nil
}
