package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// subject is which policy a request is about, before anybody looks whether there is one.
type subject struct {
	policy reference // its name; of an inline one within its holder
	holder reference // of an inline or trust policy; zero of others
	as     Part
}

// subjectOf reads how a request names a policy: by its own name, or as one of a principal or group.
func (d *Directory) subjectOf(policy, principal, group string, as Part) (subject, error) {
	s := subject{as: as, policy: reference{policyNames, policy}}
	var err error
	switch {
	case as != Own && as != TrustPolicy:
		return s, gate.Errorf(gate.InvalidRequest, "as is trust, or left out")
	case principal == "" && group == "" && as == Own:
		s.policy, err = d.policyReference(policy)
		return s, err
	}
	if s.holder, err = d.holderReference(principal, group); err != nil {
		return s, err
	}
	switch {
	case as == Own:
		return s, checkName(policyNames, policy)
	case s.holder.space != roleNames:
		return s, gate.Errorf(gate.InvalidRequest, "only a role has a trust policy")
	case policy != "":
		return s, gate.Errorf(gate.InvalidRequest, "a trust policy has no name: leave policy out")
	}
	return s, nil
}

// policyReference reads how a request names a policy that can be attached: by ARN, policy/NAME or
// NAME. Ready ones have the account aws in their ARNs, as those that come with AWS have.
func (d *Directory) policyReference(text string) (reference, error) {
	name := strings.TrimPrefix(text, string(policyNames)+"/")
	if rest, ok := strings.CutPrefix(text, "arn:"); ok {
		var own, ready bool
		if name, own = strings.CutPrefix(rest, "aws:iam::"+d.account+":policy/"); !own {
			name, ready = strings.CutPrefix(rest, "aws:iam::"+readyAccount+":policy/")
		}
		if !own && !ready || own == (readyNamed(name) != nil) {
			return reference{}, gate.Errorf(gate.InvalidRequest, "that ARN is of no policy of account %s, nor of one that is ready", d.account)
		}
	}
	return reference{policyNames, name}, checkName(policyNames, name)
}

// holderReference reads how a request names who has policies.
func (d *Directory) holderReference(principal, group string) (reference, error) {
	switch {
	case principal != "" && group != "":
		return reference{}, gate.Errorf(gate.InvalidRequest, "say principal or group, not both")
	case principal != "":
		return d.principalReference(principal)
	case group != "":
		return d.groupReference(group)
	}
	return reference{}, gate.Errorf(gate.InvalidRequest, "say whose: principal or group")
}

// arn names what permission is asked for: the policy, or its holder.
func (s subject) arn(d *Directory) string {
	switch {
	case s.holder != reference{}:
		return s.holder.arn(d)
	case readyNamed(s.policy.name) != nil:
		return arn(readyAccount, policyNames, s.policy.name)
	}
	return s.policy.arn(d)
}

// row is the permission that an operation of a verb needs: its own of a managed policy, and one of
// AWS's for each kind of holder of others.
func (s subject) row(verb string) *gate.Operation {
	switch {
	case s.holder == reference{}:
		return nil
	case s.as == Own:
		return permission(verb, s.holder.space, "Policy")
	case verb == "Get":
		return permission("Get", roleNames, "")
	}
	return permission("Update", "", "AssumeRolePolicy")
}

// permission is a row of one of AWS's permissions on users, roles or groups.
func permission(verb string, s space, what string) *gate.Operation {
	kind := map[space]string{userNames: "User", roleNames: "Role", groupNames: "Group"}[s]
	return &gate.Operation{Permission: "iam:" + verb + kind + what}
}

// stored is a policy that was found.
type stored struct {
	id    gate.ID
	ready *readyPolicy
	// Of one that is not ready: its body, its item, and, of a managed one, its name's.
	body       *policyBody
	item, name *store.Item
	holder     *holder // of an inline or trust policy
}

// find finds the policy and notes all that the answer rests on.
func (s subject) find(ctx context.Context, m *Manager, a gate.Approved) (*stored, error) {
	if s.holder == (reference{}) {
		return m.managed(ctx, a, s.policy)
	}
	h, err := m.holder(ctx, a, s.holder)
	if err != nil {
		return nil, err
	}
	if s.as == TrustPolicy {
		if h.principal.Trust.IsZero() {
			return nil, gate.Errorf(gate.NotFound, "the role has no trust policy: nobody may assume it")
		}
		found, err := m.policyOf(ctx, a, h.principal.Trust)
		if err == nil {
			found.holder = h
		}
		return found, err
	}
	found, err := m.inlineOf(ctx, a, h)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found, func(p *stored) bool { return p.body.Name == s.policy.name })
	if i < 0 {
		return nil, gate.Errorf(gate.NotFound, "it has no inline policy of that name")
	}
	return found[i], nil
}

// managed finds a policy that can be attached, and notes it.
func (m *Manager) managed(ctx context.Context, a gate.Approved, r reference) (*stored, error) {
	if ready := readyNamed(r.name); ready != nil {
		return &stored{id: ready.id, ready: ready}, nil
	}
	id, name, err := m.directory.find(ctx, a, r)
	if err != nil {
		return nil, err
	}
	s, err := m.policyOf(ctx, a, id)
	if err == nil {
		s.name = name
	}
	return s, err
}

// policyOf reads a policy by its id, and notes it.
func (m *Manager) policyOf(ctx context.Context, a gate.Approved, id gate.ID) (*stored, error) {
	if ready := readyOf(id); ready != nil {
		return &stored{id: id, ready: ready}, nil
	}
	items, err := m.directory.read(ctx, a, policyRef(id))
	if err != nil {
		return nil, err
	}
	if items[0].Revision == 0 {
		return nil, missing("policy")
	}
	body, err := decodePolicy(&items[0])
	return &stored{id: id, item: &items[0], body: body}, err
}

// show makes the policy's document.
func (s *stored) show(d *Directory) Policy {
	switch {
	case s.ready != nil:
		return s.ready.show()
	case s.holder != nil:
		return d.policyDocument(s.id, s.body, s.holder.ref.arn(d))
	}
	return d.policyDocument(s.id, s.body, "")
}

// fixed refuses to change what comes with the release.
func (s *stored) fixed() error {
	if s.ready != nil {
		return gate.Errorf(gate.Conflict, "a ready policy is what this release says: write one of your own from it")
	}
	return nil
}
