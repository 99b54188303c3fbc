package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// ListPoliciesRequest asks for a page of the policies that can be attached, ready ones first, oldest
// first; or for all that a principal or group has: its own, its boundary, its trust policy. What a
// principal has by its groups stands with the groups.
type ListPoliciesRequest struct {
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	Limit     int    `json:"limit,omitzero"`
	Cursor    string `json:"cursor,omitzero"`
}

// PolicyPage is a page of policies, without their documents. NextCursor continues behind it; absent
// at the end.
type PolicyPage struct {
	Policies   []Policy `json:"policies"`
	NextCursor string   `json:"next_cursor,omitzero"`
}

// ListPolicies lists policies.
func (m *Manager) ListPolicies(ctx context.Context, c *gate.Call, req ListPoliciesRequest) (*PolicyPage, error) {
	if req.Principal != "" || req.Group != "" {
		return m.listHeld(ctx, c, req)
	}
	q := store.Query{Kind: store.KindPolicy, Index: indexOwner, Value: managedIndex}
	if err := page(&q, req.Limit, req.Cursor); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out PolicyPage
	err := m.gate.Do(ctx, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		var err error
		out, err = m.listManaged(ctx, q)
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// listManaged makes a page of ready and stored policies. The ids of ready ones are less than any that
// is made, so that one order holds for all.
func (m *Manager) listManaged(ctx context.Context, q store.Query) (PolicyPage, error) {
	out := PolicyPage{Policies: []Policy{}}
	for _, ready := range readyPolicies() {
		if string(ready.id[:]) > q.After {
			out.add(ready.show())
		}
	}
	page, err := m.directory.view.List(ctx, q)
	if err != nil {
		return out, err
	}
	for i := range page.Items {
		b, err := decodePolicy(&page.Items[i])
		if err != nil {
			return out, err
		}
		out.add(m.directory.policyDocument(idOf(page.Items[i].ID), b, ""))
	}
	if page.More || len(out.Policies) > q.Limit {
		out.Policies = out.Policies[:q.Limit]
		out.NextCursor = cursorBehind(out.Policies[q.Limit-1].ID)
	}
	return out, nil
}

func (p *PolicyPage) add(one Policy) {
	one.Document = ""
	p.Policies = append(p.Policies, one)
}

// listHeld lists what a principal or group has; the limits of its policies are those of the page.
func (m *Manager) listHeld(ctx context.Context, c *gate.Call, req ListPoliciesRequest) (*PolicyPage, error) {
	of, err := m.directory.holderReference(req.Principal, req.Group)
	if err == nil && (req.Limit != 0 || req.Cursor != "") {
		err = gate.Errorf(gate.InvalidRequest, "the policies of a principal or group are listed all at once: leave limit and cursor out")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	out := PolicyPage{Policies: []Policy{}}
	about := gate.Request{Resources: []string{of.arn(m.directory)}, As: permission("ListAttached", of.space, "Policies")}
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		out = PolicyPage{Policies: []Policy{}}
		h, err := m.holder(ctx, a, of)
		if err != nil {
			return gate.Outcome{}, err
		}
		found, err := m.policiesOf(ctx, a, h)
		if err != nil {
			return gate.Outcome{}, err
		}
		for _, p := range found {
			out.held(m, h, p, Own)
		}
		if h.principal == nil {
			return gate.Outcome{}, nil
		}
		for _, other := range []struct {
			id gate.ID
			as Part
		}{{h.principal.Boundary, Boundary}, {h.principal.Trust, TrustPolicy}} {
			if other.id.IsZero() {
				continue
			}
			p, err := m.policyOf(ctx, a, other.id)
			if err != nil {
				return gate.Outcome{}, err
			}
			out.held(m, h, p, other.as)
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// held adds a policy as its holder has it.
func (p *PolicyPage) held(m *Manager, h *holder, found *stored, as Part) {
	shown := found.show(m.directory)
	shown.Holder, shown.As = h.ref.arn(m.directory), as
	p.add(shown)
}
