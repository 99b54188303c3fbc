package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// ListGroupsRequest asks for a page of groups whose names begin with Prefix.
type ListGroupsRequest struct {
	Prefix string `json:"prefix,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// GroupPage is a page of groups by name. NextCursor continues behind it; absent at the end.
type GroupPage struct {
	Groups     []Group `json:"groups"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListGroups returns a page of groups by name.
func (m *Manager) ListGroups(ctx context.Context, c *gate.Call, req ListGroupsRequest) (*GroupPage, error) {
	var out GroupPage
	err := m.gate.Do(ctx, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		found, err := m.directory.listNames(ctx, req.Prefix, req.Limit, req.Cursor, groupNames)
		if err != nil {
			return gate.Outcome{}, err
		}
		items, err := m.directory.get(ctx, found.ids, groupRef)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = GroupPage{Groups: []Group{}, NextCursor: found.next}
		for i := range items {
			if items[i].Revision == 0 { // deleted meanwhile
				continue
			}
			b, err := decodeGroup(&items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Groups = append(out.Groups, m.directory.groupDocument(found.ids[i], b))
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
