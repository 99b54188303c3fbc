package identity

import (
	"context"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// MaxGroups is how many groups a principal is in at most, as in IAM.
const MaxGroups = 10

// MembershipRequest names a principal and a group.
type MembershipRequest struct {
	Principal string `json:"principal"`
	Group     string `json:"group"`
}

// AddToGroup gives a user or service the policies of a group, those that deny as well as those that
// allow. Who is in it already stays.
func (m *Manager) AddToGroup(ctx context.Context, c *gate.Call, req MembershipRequest) (*Principal, error) {
	return m.membership(ctx, c, req, func(e *edit, g *foundGroup) error {
		switch {
		case slices.Contains(e.body.Groups, g.id):
			return nil
		case e.body.Administrator:
			return gate.Errorf(gate.Conflict, "an administrator is in no group: what the group is given could stop Haven itself; attach policies that bind it to the administrator")
		case len(e.body.Groups) == MaxGroups:
			return gate.Errorf(gate.LimitExceeded, "a principal is in at most %d groups", MaxGroups)
		}
		body, err := encode(nameBody{Format: bodyFormat, ID: e.id})
		if err != nil {
			return err
		}
		e.body.Groups = append(e.body.Groups, g.id)
		e.out.Changes = append(e.out.Changes, gate.Change{Ref: memberRef(g.id, e.id), Body: body})
		// Touches the name, not the group, on which each member's every operation rests: what deletes
		// the group notes its name, and meets this.
		return e.put(g.name.Ref)
	})
}

// RemoveFromGroup takes the policies of a group from a principal. When it has returned, every
// operation begun later is decided without them. Who is not in it stays out.
func (m *Manager) RemoveFromGroup(ctx context.Context, c *gate.Call, req MembershipRequest) (*Principal, error) {
	return m.membership(ctx, c, req, func(e *edit, g *foundGroup) error {
		if !slices.Contains(e.body.Groups, g.id) {
			return nil
		}
		if err := e.leave(g.id); err != nil {
			return err
		}
		e.body.Groups = slices.DeleteFunc(e.body.Groups, func(id gate.ID) bool { return id == g.id })
		return e.put()
	})
}

// membership runs an operation on a principal and a group. Permission is asked for the group.
func (m *Manager) membership(ctx context.Context, c *gate.Call, req MembershipRequest, f func(*edit, *foundGroup) error) (*Principal, error) {
	who, err := m.directory.principalReference(req.Principal)
	var which reference
	if err == nil {
		which, err = m.directory.groupReference(req.Group)
	}
	if err == nil && who.space == roleNames {
		err = gate.Errorf(gate.InvalidRequest, "a role is in no group: attach policies to it")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Principal
	about := gate.Request{Resources: []string{which.arn(m.directory)}, Replay: replay(&out), Parameters: "name=" + which.name}
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		g, err := m.directory.group(ctx, a, which)
		if err != nil {
			return gate.Outcome{}, err
		}
		e, err := m.load(ctx, c, a, who)
		if err != nil {
			return gate.Outcome{}, err
		}
		e.told.Add("group=%s", g.id)
		if err = e.own(); err == nil {
			err = f(e, g)
		}
		if err == nil {
			err = e.answer(&out)
		}
		if err != nil {
			return gate.Outcome{}, err
		}
		return e.outcome(), nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// leave stages the end of a membership, but for the principal's own item.
func (e *edit) leave(group gate.ID) error {
	items, err := e.m.directory.read(e.ctx, e.a, memberRef(group, e.id))
	if err == nil && items[0].Revision > 0 {
		e.out.Changes = append(e.out.Changes, gate.Change{Ref: items[0].Ref, Before: &items[0], Delete: true})
	}
	return err
}

// inline returns those of policies that nobody but the owner has.
func (d *Directory) inline(ctx context.Context, owner gate.ID, policies []gate.ID) ([]store.Item, error) {
	items, err := d.get(ctx, policies, policyRef)
	if err != nil {
		return nil, err
	}
	var own []store.Item
	for i := range items {
		if items[i].Revision == 0 { // a ready one, which is in no store
			continue
		}
		b, err := decodePolicy(&items[i])
		if err != nil {
			return nil, err
		}
		if b.Owner == owner {
			own = append(own, items[i])
		}
	}
	if len(own) > maxErased-MaxGroups {
		return nil, gate.Errorf(gate.LimitExceeded, "it has more inline policies than one deletion takes along: delete some of them first")
	}
	return own, nil
}
