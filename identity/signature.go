package identity

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
	"github.com/haven-health/haven/store"
)

// signing is an access key at hand: its credential, and its signing key for one scope.
type signing struct {
	credential *credentialBody
	key        sigv4.Key
}

// signingID names a signing key. It is cached by its credential's item: whatever touches that drops
// it, and the key of a new day takes the place of the last.
type signingID struct {
	credential [32]byte
	scope      sigv4.Scope
}

func appendSigningID(b []byte, id signingID) []byte { return appendHash(b, id.credential) }

// strangersSecret signs for no access key: signatures of unknown ones are verified with it, so that
// they take the way of wrong ones.
const strangersSecret = "----------------------------------------"

// bySignature returns whose access key signed a request.
func (d *Directory) bySignature(ctx context.Context, r *gate.Reading, p *gate.Proof) (gate.ID, error) {
	claims := &p.Signed.Claims
	switch {
	case claims.Scope.Region != d.region, claims.SecurityToken.Len() > 0: // there are no temporary access keys
		return gate.ID{}, nobody()
	case p.At.Sub(claims.Time).Abs() > sigv4.Skew: // before a key is made for its day
		return gate.ID{}, nobody()
	}
	hash := sha256.Sum256([]byte(claims.AccessKeyID))
	with, unknown := d.signings.Get(ctx, r, signingID{hash, claims.Scope}, d.loadSigning)
	if unknown != nil && !errors.Is(unknown, gate.Unauthenticated) {
		return gate.ID{}, unknown
	}
	if unknown != nil {
		key, err := sigv4.Derive(secret.New([]byte(strangersSecret)), claims.Scope)
		if err != nil {
			return gate.ID{}, err
		}
		with = &signing{key: key}
	}
	wrong := claims.Verify(with.key, p.Signed.Body, p.At)
	now := d.view.Now()
	if unknown != nil || wrong != nil || !with.credential.active(now) {
		return gate.ID{}, nobody()
	}
	d.noteUse(hash, with.credential, now)
	return with.credential.Principal, nil
}

// loadSigning opens the secret of an access key and makes the signing key of it.
func (d *Directory) loadSigning(ctx context.Context, id signingID) (*signing, store.Epoch, error) {
	c, epoch, err := d.loadCredential(ctx, id.credential)
	if err != nil {
		return nil, epoch, err
	}
	if c.Type != accessKey || d.secrets == nil {
		return nil, epoch, nobody()
	}
	plain, err := d.secrets.Open(c.KeyID, c.Secret)
	if err != nil {
		return nil, epoch, gate.Errorf(gate.Tampered, "the secret of an access key does not open; run haven fsck")
	}
	defer plain.Destroy()
	key, err := sigv4.Derive(plain, id.scope)
	return &signing{c, key}, epoch, err
}
