package keys

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// ListGrantsRequest asks for a page of a key's grants, oldest first: all, or those of GranteePrincipal,
// or the one of GrantID.
type ListGrantsRequest struct {
	Key     string `json:"key"`
	Grantee string `json:"grantee_principal,omitzero"`
	GrantID string `json:"grant_id,omitzero"`
	Limit   int    `json:"limit,omitzero"`
	Cursor  string `json:"cursor,omitzero"`
}

// Grant is a grant as list-grants shows it. Principals are ARNs, or ids of those deleted since.
type Grant struct {
	KeyID      gate.ID  `json:"key_id"`
	GrantID    gate.ID  `json:"grant_id"`
	Name       string   `json:"name,omitzero"`
	Grantee    string   `json:"grantee_principal"`
	Retiring   string   `json:"retiring_principal,omitzero"`
	Operations []string `json:"operations"`
	// Equals and Subset are its constraint: see CreateGrantRequest.
	Equals    map[string]string `json:"encryption_context_equals,omitzero"`
	Subset    map[string]string `json:"encryption_context_subset,omitzero"`
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy gate.ID           `json:"created_by"`
	// LastUsedOn is the day, UTC, on which it last let somebody do something; absent: never.
	LastUsedOn string `json:"last_used_on,omitzero"`
}

// GrantPage is a page of grants. NextCursor continues behind it; absent at the end.
type GrantPage struct {
	Grants     []Grant `json:"grants"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListGrants returns a page of a key's grants.
func (m *Manager) ListGrants(ctx context.Context, c *gate.Call, req ListGrantsRequest) (*GrantPage, error) {
	var q store.Query
	err := page(&q, req.Limit, req.Cursor, keyIDLen)
	if err == nil && len(req.Grantee) > MaxReference {
		err = gate.Errorf(gate.InvalidRequest, "grantee_principal is the ARN of a principal")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out GrantPage
	err = m.gate.Do(ctx, c, onKey(req.Key, gate.Asked{}), func(a gate.Approved) (gate.Outcome, error) {
		return gate.Outcome{}, m.ring.listGrants(ctx, a.Target(0).Domain.(*loadedKey), &req, &q, &out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (r *Ring) listGrants(ctx context.Context, key *loadedKey, req *ListGrantsRequest, q *store.Query, out *GrantPage) error {
	*out = GrantPage{Grants: []Grant{}}
	grantee := gate.ID{}
	if req.Grantee != "" {
		var err error
		if grantee, err = r.cfg.People.PrincipalOf(ctx, req.Grantee); err != nil || grantee.IsZero() {
			return err
		}
	}
	var found []*loadedGrant
	var who []gate.ID
	for _, g := range key.grants { // in the order of their ids
		if g.item.ID <= q.After || !grantee.IsZero() && g.body.Grantee != grantee || req.GrantID != "" && g.id.String() != req.GrantID {
			continue
		}
		if len(found) == q.Limit {
			out.NextCursor = cursorBehind(found[len(found)-1].item.ID)
			break
		}
		found, who = append(found, g), append(who, g.body.Grantee, g.body.Retiring)
	}
	called, err := r.called(ctx, who...)
	if err != nil {
		return err
	}
	ids := make([]string, len(found))
	for i, g := range found {
		ids[i] = g.item.ID
	}
	days, err := r.grantUses.Days(ctx, ids)
	if err != nil {
		return err
	}
	for i, g := range found {
		one := Grant{
			KeyID: g.body.Key, GrantID: g.id, Name: g.body.Name, Grantee: called[g.body.Grantee], Operations: g.body.Operations,
			Equals: g.body.Constraints.Equals, Subset: g.body.Constraints.Subset, CreatedAt: g.body.Created, CreatedBy: g.body.CreatedBy, LastUsedOn: days[i],
		}
		if !g.body.Retiring.IsZero() {
			one.Retiring = called[g.body.Retiring]
		}
		out.Grants = append(out.Grants, one)
	}
	return nil
}
