package identity

import (
	"context"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// maxShown is how many of those that have a policy are named.
const maxShown = 100

// PolicyRequest names a policy: one that can be attached by ARN, policy/NAME or NAME; an inline one by
// its name, with Principal or Group; the trust policy of a role by Principal and As trust.
type PolicyRequest struct {
	Policy    string `json:"policy,omitzero"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	As        Part   `json:"as,omitzero"`
}

// DescribePolicy shows a policy as it was written, and who has it.
func (m *Manager) DescribePolicy(ctx context.Context, c *gate.Call, req PolicyRequest) (*Policy, error) {
	s, err := m.directory.subjectOf(req.Policy, req.Principal, req.Group, req.As)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Policy
	err = m.gate.Do(ctx, c, gate.Request{Resources: []string{s.arn(m.directory)}, As: s.row("Get")},
		func(a gate.Approved) (gate.Outcome, error) {
			found, err := s.find(ctx, m, a)
			if err != nil {
				return gate.Outcome{}, err
			}
			out = found.show(m.directory)
			if found.holder == nil {
				out.AttachedTo, out.Attachments, err = m.directory.attachments(ctx, found.id)
			}
			return gate.Outcome{}, err
		})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// attachments returns who has a policy, the first of them by ARN, and how many they are. That somebody
// has a policy stands with them alone, so everybody is looked at: it is asked when a policy is shown
// or deleted, not when it is used.
func (d *Directory) attachments(ctx context.Context, id gate.ID) (first []Attachment, n int, err error) {
	add := func(s space, name string, as Part) {
		if n++; len(first) < maxShown {
			first = append(first, Attachment{ARN: arn(d.account, s, name), As: as})
		}
	}
	err = d.each(ctx, store.KindPrincipal, func(item *store.Item) error {
		b, err := decodePrincipal(item)
		if err != nil {
			return err
		}
		if slices.Contains(b.Policies, id) {
			add(spaceOf(b.Kind), b.Name, Own)
		}
		if b.Boundary == id {
			add(spaceOf(b.Kind), b.Name, Boundary)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	err = d.each(ctx, store.KindGroup, func(item *store.Item) error {
		b, err := decodeGroup(item)
		if err == nil && slices.Contains(b.Policies, id) {
			add(groupNames, b.Name, Own)
		}
		return err
	})
	return first, n, err
}

// each calls f with every item of a kind.
func (d *Directory) each(ctx context.Context, kind store.Kind, f func(*store.Item) error) error {
	for q := (store.Query{Kind: kind, Limit: store.MaxPage}); ; {
		page, err := d.view.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if err := f(&page.Items[i]); err != nil {
				return err
			}
		}
		if !page.More || len(page.Items) == 0 {
			return nil
		}
		q.After = page.Items[len(page.Items)-1].ID
	}
}
