package identity

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// nobody is the one answer to a proof that proves nothing.
func nobody() error {
	return gate.Errorf(gate.Unauthenticated, "no valid credential; send Authorization: Bearer with a token that is in force, or use a registered client certificate")
}

// Authenticate implements gate.Authenticator. What a call shows must agree: what is in the
// Authorization header proves somebody or the call is nobody's, whatever else it shows, and a
// certificate that is registered must be the same principal's. One that proves nobody, since many
// programs show one to whoever asks, then adds nothing; alone it proves nobody.
func (d *Directory) Authenticate(ctx context.Context, r *gate.Reading, p *gate.Proof) (gate.Principal, error) {
	id, err := d.proven(ctx, r, p)
	if err != nil {
		return gate.Principal{}, err
	}
	principal, err := d.principals.GetComposed(ctx, r, id, d.loadPrincipal)
	if err != nil {
		return gate.Principal{}, err
	}
	return *principal, nil
}

// proven returns the one principal that everything shown is of.
func (d *Directory) proven(ctx context.Context, r *gate.Reading, p *gate.Proof) (gate.ID, error) {
	switch {
	case !p.Local.IsZero():
		return p.Local, nil
	case p.Unreadable:
		return gate.ID{}, nobody()
	}
	var id gate.ID
	var err error
	if p.Bearer.Len() > 0 {
		if id, err = d.byToken(ctx, r, p.Bearer); err != nil {
			return gate.ID{}, err
		}
	}
	if p.Certificate == nil {
		return one(id, id)
	}
	certified, err := d.byCertificate(ctx, r, p.Certificate)
	if errors.Is(err, gate.Unauthenticated) && !id.IsZero() {
		return id, nil
	}
	if err != nil {
		return gate.ID{}, err
	}
	return one(certified, id)
}

// one returns the principal of two proofs, the second of which may not have been shown.
func one(id, other gate.ID) (gate.ID, error) {
	if id.IsZero() || !other.IsZero() && id != other {
		return gate.ID{}, nobody()
	}
	return id, nil
}

// byToken returns whose a bearer token is. One that does not exist takes the same way as one that
// does, up to the look-up of its hash.
func (d *Directory) byToken(ctx context.Context, r *gate.Reading, token secret.Bytes) (gate.ID, error) {
	if token.Len() > MaxToken {
		return gate.ID{}, nobody()
	}
	return d.byCredential(ctx, r, sha256.Sum256(secret.Expose(token)), bearer)
}

// byCertificate returns whose a client certificate is. It is pinned: known by the SHA-256 of its
// DER, whoever issued it. That the caller holds its key the handshake has shown.
func (d *Directory) byCertificate(ctx context.Context, r *gate.Reading, c *gate.Certificate) (gate.ID, error) {
	if now := d.view.Now(); now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return gate.ID{}, nobody()
	}
	return d.byCredential(ctx, r, c.Fingerprint, clientCertificate)
}

// byCredential returns whose a credential is that is known by a hash, if it is of the type that the
// proof is: the hash of an access key id, which is no secret, must not do for a token's.
func (d *Directory) byCredential(ctx context.Context, r *gate.Reading, hash [32]byte, kind string) (gate.ID, error) {
	c, err := d.credentials.Get(ctx, r, hash, d.loadCredential)
	if err != nil {
		return gate.ID{}, err
	}
	if c.Type != kind || !c.Expires.IsZero() && !d.view.Now().Before(c.Expires) {
		return gate.ID{}, nobody()
	}
	return c.Principal, nil
}
