package identity

import (
	"context"
	"fmt"
	"slices"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// AttachPolicyRequest names a managed or ready policy, and a principal or group. As boundary makes it
// the boundary of a principal: it may nothing that the boundary does not allow as well.
type AttachPolicyRequest struct {
	Policy    string `json:"policy"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	As        Part   `json:"as,omitzero"`
}

// AttachPolicy gives a principal or group a policy. What it allows and what it denies holds when the
// call has returned. What is attached already stays, and there is one boundary: another takes its
// place.
func (m *Manager) AttachPolicy(ctx context.Context, c *gate.Call, req AttachPolicyRequest) (*Policy, error) {
	return m.attach(ctx, c, req, "Attach", "Put", func(h *holder, p *stored) ([]store.Ref, error) {
		if h.administrator() {
			if err := m.directory.bindable(p.show(m.directory).Document); err != nil {
				return nil, err
			}
		}
		var also []store.Ref
		if p.ready == nil { // so that it is not deleted meanwhile
			also = append(also, policyRef(p.id))
		}
		switch {
		case req.As == Boundary:
			h.principal.Boundary = p.id
		case slices.Contains(*h.policies(), p.id):
		default:
			*h.policies() = append(slices.Clone(*h.policies()), p.id)
		}
		return also, nil
	})
}

// DetachPolicy takes a policy from a principal or group. It holds when the call has returned.
func (m *Manager) DetachPolicy(ctx context.Context, c *gate.Call, req AttachPolicyRequest) (*Policy, error) {
	return m.attach(ctx, c, req, "Detach", "Delete", func(h *holder, p *stored) ([]store.Ref, error) {
		switch {
		case req.As == Boundary && h.principal.Boundary == p.id:
			h.principal.Boundary = gate.ID{}
		case req.As == Own && slices.Contains(*h.policies(), p.id):
			*h.policies() = slices.DeleteFunc(slices.Clone(*h.policies()), func(id gate.ID) bool { return id == p.id })
		default:
			return nil, gate.Errorf(gate.NotFound, "it does not have that policy")
		}
		return nil, nil
	})
}

// attach changes which policies somebody has. f does it, and returns what else the change bears on.
func (m *Manager) attach(ctx context.Context, c *gate.Call, req AttachPolicyRequest, verb, verbOfBoundary string, f func(*holder, *stored) ([]store.Ref, error)) (*Policy, error) {
	name, err := m.directory.policyReference(req.Policy)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	to, err := m.directory.holderReference(req.Principal, req.Group)
	if err == nil {
		err = checkAs(req.As, to)
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	row := permission(verb, to.space, "Policy")
	if req.As == Boundary {
		row = permission(verbOfBoundary, to.space, "PermissionsBoundary")
	}
	var out Policy
	about := gate.Request{Resources: []string{to.arn(m.directory)}, As: row, Replay: replay(&out)}
	about.Values = []access.Value{{Key: access.PolicyARN, Text: subject{policy: name}.arn(m.directory)}}
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		h, err := m.holder(ctx, a, to)
		if err == nil && req.As == Boundary {
			err = h.governed()
		}
		if err != nil {
			return gate.Outcome{}, err
		}
		if h.administrator() {
			if err := binder(a); err != nil {
				return gate.Outcome{}, err
			}
		}
		p, err := m.managed(ctx, a, name)
		if err != nil {
			return gate.Outcome{}, err
		}
		also, err := f(h, p)
		if err == nil {
			err = m.checkAttached(ctx, a, h)
		}
		if err != nil {
			return gate.Outcome{}, err
		}
		change, err := h.change(also...)
		if err != nil {
			return gate.Outcome{}, err
		}
		o := gate.Outcome{Changes: []gate.Change{change}, Parameters: fmt.Sprintf("policy=%s;name=%s;%s;as=%s", p.id, name.name, h.parameters(), req.As)}
		shown := p.show(m.directory)
		shown.Document, shown.Holder, shown.As = "", to.arn(m.directory), req.As
		return keepPolicy(o, &out, shown)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func checkAs(as Part, to reference) error {
	switch {
	case as == Own, as == Boundary && to.space != groupNames:
		return nil
	case as == Boundary:
		return gate.Errorf(gate.InvalidRequest, "a group has no boundary: its members have")
	}
	return gate.Errorf(gate.InvalidRequest, "as is boundary, or left out")
}

// checkAttached refuses more attached policies than a decision should cost.
func (m *Manager) checkAttached(ctx context.Context, a gate.Approved, h *holder) error {
	if len(*h.policies()) <= MaxAttached {
		return nil
	}
	inline, err := m.inlineOf(ctx, a, h)
	if err == nil && len(*h.policies())-len(inline) > MaxAttached {
		err = gate.Errorf(gate.LimitExceeded, "at most %d policies are attached to one principal or group: join some, or use a group", MaxAttached)
	}
	return err
}
