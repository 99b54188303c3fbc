package identity

import (
	"context"
	"errors"
	"strings"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// ListAccessRequest asks who can do an action to a key: both are required. Action is a permission, or
// an operation by its name.
type ListAccessRequest struct {
	Key    string `json:"key"`
	Action string `json:"action"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// AccessPage is a page of those who can, oldest first. A page may be short, even empty, and not the
// last: NextCursor alone tells.
type AccessPage struct {
	Principals []Access `json:"principals"`
	NextCursor string   `json:"next_cursor,omitzero"`
}

// Access is that somebody can do something, and why.
type Access struct {
	Principal string `json:"principal"` // its ARN; of a role, whoever assumes it
	// Allowed is yes, or conditionally: to some requests, as conditions on them tell.
	Allowed access.Extent `json:"allowed"`
	By      access.Source `json:"decided_by"`
	// Policy is the name of the identity policy that allows it, Grant the grant's id.
	Policy string `json:"policy,omitzero"`
	Grant  string `json:"grant,omitzero"`
}

// ListAccess tells who can do an action to a key. Requests are taken as of now, over TLS, from no
// address, without an encryption context. Disabled principals can do nothing and are left out.
func (m *Manager) ListAccess(ctx context.Context, c *gate.Call, req ListAccessRequest) (*AccessPage, error) {
	q := store.Query{Kind: store.KindPrincipal}
	err := page(&q, req.Limit, req.Cursor)
	action, ok := actionOf(req.Action)
	if err == nil && (!ok || req.Key == "") {
		err = gate.Errorf(gate.InvalidRequest, "say a key, and an action: a permission, such as kms:Decrypt, or an operation, such as decrypt")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out AccessPage
	err = m.gate.Do(ctx, c, gate.Request{References: []gate.Reference{{Text: req.Key}}}, func(a gate.Approved) (gate.Outcome, error) {
		out = AccessPage{Principals: []Access{}}
		asked := access.Request{Action: action, Object: a.Target(0).Object, Time: a.Time(), Secure: true, Region: a.Region()}
		var err error
		out.NextCursor, err = m.directory.eachActive(ctx, q, nil, func(p *access.Principal) {
			asked.Principal = p
			extent, by := access.ExtentOf(&asked)
			if extent == access.Never {
				return
			}
			one := Access{Principal: p.ARN, Allowed: extent, By: by.By, Grant: by.Grant}
			if by.By == access.ByIdentity {
				one.Policy = p.Policies[by.Policy].Name
			}
			out.Principals = append(out.Principals, one)
		})
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// eachActive calls f with every principal of a page that may call, as decisions see it; a role as a
// session of it. Policies stand for those stored, by id; nil replaces none. It returns the cursor behind
// the page, "" at the end.
func (d *Directory) eachActive(ctx context.Context, q store.Query, policies map[gate.ID]*access.Policy, f func(*access.Principal)) (next string, err error) {
	found, err := d.view.List(ctx, q)
	if err != nil {
		return "", err
	}
	for i := range found.Items {
		p, _, err := d.settled(ctx, func(l *loading) (*gate.Principal, error) {
			l.instead = policies
			return l.principal(idOf(found.Items[i].ID))
		})
		switch {
		case errors.Is(err, gate.Unauthenticated): // disabled, or deleted meanwhile
		case err != nil:
			return "", err
		default:
			f(assumed(p.Access))
		}
	}
	if found.More {
		next = cursorBehind(idOf(found.Items[len(found.Items)-1].ID))
	}
	return next, nil
}

// assumed is what decisions see of a session of a role; others are seen as they are.
func assumed(p *access.Principal) *access.Principal {
	if !strings.HasPrefix(p.ARN, arn(p.Account, roleNames, "")) {
		return p
	}
	session := *p
	session.RoleID, session.RoleARN, session.ID, session.Kind, session.Temporary = p.ID, p.ARN, p.ID+":*", "AssumedRole", true
	return &session
}
