package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// byIssuer returns which user or service a token of an issuer names, and what the token says. The
// principal must exist: none is made. Roles are not named so: who is proven may assume one, if the
// role's trust policy says so.
func (d *Directory) byIssuer(ctx context.Context, r *gate.Reading, token secret.Bytes) (gate.ID, *oidc.Token, error) {
	t, err := d.issuers.Verify(ctx, secret.Expose(token), d.view.Now())
	if err != nil || checkName(userNames, t.Name) != nil {
		return gate.ID{}, nil, nobody()
	}
	id, err := d.names.Get(ctx, r, t.Name, d.loadName)
	return id, &t, err
}

func (d *Directory) loadName(ctx context.Context, name string) (gate.ID, store.Epoch, error) {
	items, epoch, err := d.view.Get(ctx, nameRef(userNames, name))
	if err != nil {
		return gate.ID{}, epoch, err
	}
	if items[0].Revision == 0 {
		return gate.ID{}, epoch, nobody()
	}
	b, err := decodeName(&items[0])
	if err != nil {
		return gate.ID{}, epoch, err
	}
	return b.ID, epoch, nil
}

func appendUserName(b []byte, name string) []byte {
	return append(append(append(b, userNames...), '/'), name...)
}

// asFederated returns the principal as its token shows it: for a time, and by the methods that the
// issuer tells. The bootstrap administrator is proven by credentials of Haven's own alone: who
// runs an issuer, or may choose a name there, must not become the account.
func asFederated(p gate.Principal, t *oidc.Token) (gate.Principal, error) {
	if p.Administrator {
		return gate.Principal{}, nobody()
	}
	access := *p.Access
	access.Temporary, access.Issued = true, t.Issued
	access.MultiFactor, access.AuthMethods, access.AuthContextClass = t.MultiFactor, t.Methods, t.Class
	p.Access = &access
	return p, nil
}
