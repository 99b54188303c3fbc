package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// ListPrincipalsRequest asks for a page of principals. The filters that are given must all fit.
type ListPrincipalsRequest struct {
	Kind Kind `json:"kind,omitzero"`
	// Prefix is what names begin with.
	Prefix string `json:"prefix,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// PrincipalPage is a page of principals by name, roles after the others. NextCursor continues behind
// it; absent at the end. A page may be short, even empty, and not the last: NextCursor alone tells.
type PrincipalPage struct {
	Principals []Principal `json:"principals"`
	NextCursor string      `json:"next_cursor,omitzero"`
}

// ListPrincipals returns a page of principals by name.
func (m *Manager) ListPrincipals(ctx context.Context, c *gate.Call, req ListPrincipalsRequest) (*PrincipalPage, error) {
	spaces := []space{userNames, roleNames}
	if req.Kind != "" {
		if err := req.Kind.check(); err != nil {
			return nil, m.gate.Refuse(ctx, c, err)
		}
		spaces = []space{spaceOf(req.Kind)}
	}
	var out PrincipalPage
	err := m.gate.Do(ctx, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		found, err := m.directory.listNames(ctx, req.Prefix, req.Limit, req.Cursor, spaces...)
		if err != nil {
			return gate.Outcome{}, err
		}
		items, err := m.directory.get(ctx, found.ids, principalRef)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = PrincipalPage{Principals: []Principal{}, NextCursor: found.next}
		for i := range items {
			if items[i].Revision == 0 { // deleted meanwhile
				continue
			}
			b, err := decodePrincipal(&items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			if req.Kind != "" && b.Kind != req.Kind {
				continue
			}
			groups, err := m.directory.groupNames(ctx, b.Groups)
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Principals = append(out.Principals, m.directory.document(found.ids[i], b, groups))
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
