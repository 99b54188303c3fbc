package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
)

// DeletePolicy deletes a policy and answers what it was. A managed one that somebody has stays; an
// inline one ends when the call has returned; a role without its trust policy is assumed by nobody.
func (m *Manager) DeletePolicy(ctx context.Context, c *gate.Call, req PolicyRequest) (*Policy, error) {
	s, err := m.directory.subjectOf(req.Policy, req.Principal, req.Group, req.As)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Policy
	err = m.gate.Do(ctx, c, gate.Request{Resources: []string{s.arn(m.directory)}, As: s.row("Delete"), Replay: replay(&out)},
		func(a gate.Approved) (gate.Outcome, error) {
			found, err := s.find(ctx, m, a)
			if err == nil {
				err = found.fixed()
			}
			if err != nil {
				return gate.Outcome{}, err
			}
			o := gate.Outcome{
				Changes:    []gate.Change{{Ref: policyRef(found.id), Before: found.item, Delete: true}},
				Parameters: fmt.Sprintf("policy=%s;name=%s", found.id, found.body.Name),
			}
			last, err := m.released(ctx, found)
			if err != nil {
				return gate.Outcome{}, err
			}
			if found.holder != nil {
				o.Parameters += ";" + found.holder.parameters()
			}
			o.Changes = append(o.Changes, last)
			return keepPolicy(o, &out, found.show(m.directory))
		})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// released stages what named a policy that is deleted: its holder, or its name if nobody has it.
func (m *Manager) released(ctx context.Context, p *stored) (gate.Change, error) {
	switch h := p.holder; {
	case h == nil:
		// Whoever attaches it meanwhile touches it: then this runs again.
		first, n, err := m.directory.attachments(ctx, p.id)
		if err == nil && n > 0 {
			err = attached(first, n)
		}
		return gate.Change{Ref: nameRef(policyNames, p.body.Name), Before: p.name, Delete: true}, err
	case p.body.Trust:
		h.principal.Trust = gate.ID{}
		return h.change()
	default:
		*h.policies() = slices.DeleteFunc(slices.Clone(*h.policies()), func(id gate.ID) bool { return id == p.id })
		return h.change()
	}
}

// attached says why a policy is not deleted. ARNs have no characters but those of names.
func attached(first []Attachment, n int) error {
	const named = 5
	var where []string
	for _, at := range first[:min(len(first), named)] {
		text := at.ARN
		if at.As == Boundary {
			text += " (as boundary)"
		}
		where = append(where, text)
	}
	if n > named {
		where = append(where, fmt.Sprintf("and %d more; describe-policy names them", n-named))
	}
	return gate.Errorf(gate.Conflict, "the policy is attached to %d; detach it first: %s", n, strings.Join(where, ", "))
}
