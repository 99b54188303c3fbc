package identity

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
)

// CreateGroupRequest asks for a new group.
type CreateGroupRequest struct {
	Name string `json:"name"`
}

// CreateGroup makes a group without members and without policies.
func (m *Manager) CreateGroup(ctx context.Context, c *gate.Call, req CreateGroupRequest) (*Group, error) {
	which := reference{groupNames, req.Name}
	if err := checkName(which.space, which.name); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Group
	about := gate.Request{Resources: []string{which.arn(m.directory)}, Replay: replay(&out), Parameters: "name=" + req.Name}
	err := m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		if err := m.directory.free(ctx, a, which); err != nil {
			return gate.Outcome{}, err
		}
		id, err := gate.NewID(a.Time(), m.random)
		if err != nil {
			return gate.Outcome{}, err
		}
		body := &groupBody{Name: req.Name, Created: a.Time()}
		group, err := groupChange(id, body, nil)
		if err != nil {
			return gate.Outcome{}, err
		}
		name, err := nameChange(which.space, which.name, id)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = m.directory.groupDocument(id, body)
		o := gate.Outcome{Changes: []gate.Change{group, name}, Parameters: "group=" + id.String()}
		o.Answer, err = json.Marshal(out)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
