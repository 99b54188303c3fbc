package identity

import (
	"context"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// PreviewPolicyRequest asks what a document would change in the place of a policy, named as in
// [PolicyRequest]; or, where none is named, in the place of the key's own. An empty Document is the
// policy's end.
type PreviewPolicyRequest struct {
	Policy    string `json:"policy,omitzero"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	Document  string `json:"document,omitzero"`
	// Key is the key that is looked at; without it one that no policy names, key/any.
	Key    string `json:"key,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// PolicyPreview is what would change for a page of principals. A page may be empty, and not the last:
// NextCursor alone tells.
type PolicyPreview struct {
	Changes    []access.Change `json:"changes"`
	NextCursor string          `json:"next_cursor,omitzero"`
}

// PreviewPolicy tells who would gain what, and who would lose what. It saves nothing.
func (m *Manager) PreviewPolicy(ctx context.Context, c *gate.Call, req PreviewPolicyRequest) (*PolicyPreview, error) {
	q := store.Query{Kind: store.KindPrincipal}
	err := page(&q, req.Limit, req.Cursor)
	r, s := gate.Request{}, subject{}
	ofKey := req.Policy == "" && req.Principal == "" && req.Group == ""
	if err == nil && !ofKey {
		s, err = m.directory.subjectOf(req.Policy, req.Principal, req.Group, Own)
		r.Resources = []string{s.arn(m.directory)}
	}
	if err == nil && ofKey && req.Key == "" {
		err = gate.Errorf(gate.InvalidRequest, "say which policy: its name, or whose it is, or the key it is of")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	if req.Key != "" {
		r.References = []gate.Reference{{Text: req.Key}}
	}
	var out PolicyPreview
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		v := preview{known: access.Request{Time: a.Time(), Secure: true, Region: a.Region()}}
		v.key = &access.Object{ARN: "arn:aws:kms:" + a.Region() + ":" + m.directory.account + ":key/any", Account: m.directory.account}
		if req.Key != "" {
			v.key = a.Target(0).Object
		}
		var err error
		if ofKey {
			v.old = v.key.Policy
			v.new, err = m.previewed(ctx, req.Document, access.Resource)
		} else {
			err = m.previewsHeld(ctx, a, s, req.Document, &v)
		}
		if err != nil {
			return gate.Outcome{}, err
		}
		out, err = m.directory.preview(ctx, q, &v)
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// preview is a change of a policy that nobody makes.
type preview struct {
	old, new *access.Policy
	instead  map[gate.ID]*access.Policy // old, by its id, of a policy that principals have
	known    access.Request
	key      *access.Object
}

// previewsHeld finds the policy that is to be replaced.
func (m *Manager) previewsHeld(ctx context.Context, a gate.Approved, s subject, document string, v *preview) error {
	found, err := s.find(ctx, m, a)
	if err == nil {
		err = found.fixed()
	}
	if err != nil {
		return err
	}
	if v.old, err = m.directory.compile(found.body.Name, found.body.Document); err != nil {
		return err
	}
	v.instead = map[gate.ID]*access.Policy{found.id: v.old}
	v.new, err = m.previewed(ctx, document, access.Identity)
	return err
}

// previewed compiles the new document; an empty one is no policy.
func (m *Manager) previewed(ctx context.Context, document string, form access.Form) (*access.Policy, error) {
	if document == "" {
		return nil, nil
	}
	p, err := access.Compile([]byte(document), form, m.directory.account, func(arn string) (string, bool) {
		id, err := m.directory.PrincipalOf(ctx, arn)
		return id.String(), err == nil && !id.IsZero()
	})
	return p, malformed(err)
}

// preview compares what a page of principals may do before and after.
func (d *Directory) preview(ctx context.Context, q store.Query, v *preview) (PolicyPreview, error) {
	out := PolicyPreview{Changes: []access.Change{}}
	var ofKeys, others []access.Action
	for i := range access.Actions() {
		if action := access.Action(i + 1); action.OfKeys() {
			ofKeys = append(ofKeys, action)
		} else {
			others = append(others, action)
		}
	}
	var err error
	out.NextCursor, err = d.eachActive(ctx, q, v.instead, func(p *access.Principal) {
		who := []*access.Principal{p}
		out.Changes = append(out.Changes, access.Difference(v.old, v.new, v.known, who, ofKeys, []*access.Object{v.key})...)
		out.Changes = append(out.Changes, access.Difference(v.old, v.new, v.known, who, others, []*access.Object{nil})...)
	})
	return out, err
}
