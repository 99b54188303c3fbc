package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/haven-health/haven/gate"
)

// CreatePolicyRequest asks for a new policy: Name and Document are required. With Principal or Group
// it is an inline one, of that one alone.
type CreatePolicyRequest struct {
	Name      string `json:"name"`
	Document  string `json:"document"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
}

// CreatePolicy writes a policy. A managed one lets nobody do anything until it is attached; an inline
// one holds when the call has returned. A document that cannot be honoured in every word is refused.
func (m *Manager) CreatePolicy(ctx context.Context, c *gate.Call, req CreatePolicyRequest) (*Policy, error) {
	s := subject{policy: reference{policyNames, req.Name}}
	err := checkName(policyNames, req.Name)
	if err == nil && (req.Principal != "" || req.Group != "") {
		s.holder, err = m.directory.holderReference(req.Principal, req.Group)
	} else if err == nil && reserved(req.Name) {
		err = gate.Errorf(gate.InvalidRequest, "names that begin with %s are of the policies that come with a release", readyPrefix)
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Policy
	err = m.gate.Do(ctx, c, gate.Request{Resources: []string{s.arn(m.directory)}, As: s.row("Put"), Replay: replay(&out)},
		func(a gate.Approved) (gate.Outcome, error) {
			id, err := gate.NewID(a.Time(), m.random)
			if err != nil {
				return gate.Outcome{}, err
			}
			body := &policyBody{Name: req.Name, Created: a.Time(), Document: req.Document}
			if s.holder != (reference{}) {
				return m.addInline(ctx, a, s, id, body, &out)
			}
			if err := m.checkDocument(body.Document, MaxManaged); err != nil {
				return gate.Outcome{}, err
			}
			if err := m.directory.free(ctx, a, s.policy); err != nil {
				return gate.Outcome{}, err
			}
			policy, err := policyChange(id, body, nil)
			if err != nil {
				return gate.Outcome{}, err
			}
			name, err := nameChange(policyNames, req.Name, id)
			if err != nil {
				return gate.Outcome{}, err
			}
			o := gate.Outcome{Changes: []gate.Change{policy, name}, Parameters: policyParameters(id, body)}
			return keepPolicy(o, &out, m.directory.policyDocument(id, body, ""))
		})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// addInline stages an inline policy and its holder, which names it.
func (m *Manager) addInline(ctx context.Context, a gate.Approved, s subject, id gate.ID, body *policyBody, out *Policy) (gate.Outcome, error) {
	h, err := m.holder(ctx, a, s.holder)
	if err == nil {
		err = h.governed()
	}
	if err != nil {
		return gate.Outcome{}, err
	}
	others, err := m.inlineOf(ctx, a, h)
	if err != nil {
		return gate.Outcome{}, err
	}
	if slices.ContainsFunc(others, func(p *stored) bool { return p.body.Name == body.Name }) {
		return gate.Outcome{}, gate.Errorf(gate.AlreadyExists, "it has an inline policy of that name; update-policy replaces its document")
	}
	if err := m.checkInline(h, others, body.Document); err != nil {
		return gate.Outcome{}, err
	}
	body.Owner = h.id
	policy, err := policyChange(id, body, nil)
	if err != nil {
		return gate.Outcome{}, err
	}
	*h.policies() = append(slices.Clone(*h.policies()), id)
	holder, err := h.change()
	if err != nil {
		return gate.Outcome{}, err
	}
	o := gate.Outcome{Changes: []gate.Change{policy, holder}, Parameters: policyParameters(id, body) + ";" + h.parameters()}
	return keepPolicy(o, out, m.directory.policyDocument(id, body, s.holder.arn(m.directory)))
}

// checkInline refuses an inline policy's document, beside the others of its holder.
func (m *Manager) checkInline(h *holder, others []*stored, document string) error {
	left := h.maxInline()
	for _, p := range others {
		left -= size(p.body.Document)
	}
	if left < 0 { // of an earlier release's limits
		left = 0
	}
	return m.checkDocument(document, left)
}

// policyParameters say in a record which policy, and by its SHA-256 which document: who keeps
// documents can tell what was in force.
func policyParameters(id gate.ID, b *policyBody) string {
	sum := sha256.Sum256([]byte(b.Document))
	return fmt.Sprintf("policy=%s;name=%s;sha256=%s", id, b.Name, hex.EncodeToString(sum[:]))
}
