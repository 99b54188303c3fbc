package identity

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
)

// GroupRequest names a group: by ARN, group/NAME or NAME.
type GroupRequest struct {
	Group string `json:"group"`
}

// DeleteGroup deletes a group that nobody is in, with its inline policies. Its name is free then; a
// group made again under it has neither members nor policies.
func (m *Manager) DeleteGroup(ctx context.Context, c *gate.Call, req GroupRequest) (*Deleted, error) {
	which, err := m.directory.groupReference(req.Group)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Deleted
	about := gate.Request{Resources: []string{which.arn(m.directory)}, Replay: replay(&out), Parameters: "name=" + which.name}
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		g, err := m.directory.group(ctx, a, which)
		if err != nil {
			return gate.Outcome{}, err
		}
		// Whoever is added meanwhile touches the name, which was noted: then this runs again.
		in, err := m.directory.members(ctx, g.id, "", 1)
		if err != nil {
			return gate.Outcome{}, err
		}
		if len(in.Items) > 0 {
			return gate.Outcome{}, gate.Errorf(gate.Conflict, "the group has members: take them out first")
		}
		own, err := m.directory.inline(ctx, g.id, g.body.Policies)
		if err != nil {
			return gate.Outcome{}, err
		}
		o := gate.Outcome{Parameters: "group=" + g.id.String()}
		for i := range own {
			o.Changes = append(o.Changes, gate.Change{Ref: own[i].Ref, Before: &own[i], Delete: true})
		}
		o.Changes = append(o.Changes,
			gate.Change{Ref: g.item.Ref, Before: g.item, Delete: true},
			gate.Change{Ref: g.name.Ref, Before: g.name, Delete: true})
		o.Answer, err = json.Marshal(out)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
