package identity

import (
	"context"
	"slices"

	"github.com/haven-health/haven/gate"
)

// UpdatePolicyRequest replaces the document of a policy, named as in [PolicyRequest].
type UpdatePolicyRequest struct {
	Policy    string `json:"policy,omitzero"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	As        Part   `json:"as,omitzero"`
	Document  string `json:"document"`
}

// UpdatePolicy replaces a policy's document. It holds for everybody who has the policy when the call
// has returned. Of a role's trust policy it is also how it gets its first.
func (m *Manager) UpdatePolicy(ctx context.Context, c *gate.Call, req UpdatePolicyRequest) (*Policy, error) {
	s, err := m.directory.subjectOf(req.Policy, req.Principal, req.Group, req.As)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Policy
	err = m.gate.Do(ctx, c, gate.Request{Resources: []string{s.arn(m.directory)}, As: s.row("Put"), Replay: replay(&out)},
		func(a gate.Approved) (gate.Outcome, error) {
			if s.as == TrustPolicy {
				return m.putTrust(ctx, a, s.holder, req.Document, &out)
			}
			found, err := s.find(ctx, m, a)
			if err == nil {
				err = found.fixed()
			}
			if err == nil {
				err = m.checkUpdate(ctx, a, found, req.Document)
			}
			if err != nil {
				return gate.Outcome{}, err
			}
			return m.replace(a, found, req.Document, &out)
		})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// checkUpdate refuses a document in the place of a policy's present one.
func (m *Manager) checkUpdate(ctx context.Context, a gate.Approved, p *stored, document string) error {
	if p.holder == nil {
		if err := m.checkDocument(document, MaxManaged); err != nil {
			return err
		}
		return m.checkBinding(ctx, a, p.id, document)
	}
	others, err := m.inlineOf(ctx, a, p.holder)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(other *stored) bool { return other.id == p.id })
	return m.checkInline(p.holder, others, document)
}

// replace stages a policy with another document.
func (m *Manager) replace(a gate.Approved, p *stored, document string, out *Policy) (gate.Outcome, error) {
	p.body.Document, p.body.Updated = document, a.Time()
	change, err := policyChange(p.id, p.body, p.item)
	if err != nil {
		return gate.Outcome{}, err
	}
	o := gate.Outcome{Changes: []gate.Change{change}, Parameters: policyParameters(p.id, p.body)}
	if p.holder != nil {
		o.Parameters += ";" + p.holder.parameters()
	}
	return keepPolicy(o, out, p.show(m.directory))
}
