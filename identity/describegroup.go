package identity

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// DescribeGroupRequest names a group, by ARN, group/NAME or NAME, and a page of its members.
type DescribeGroupRequest struct {
	Group  string `json:"group"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// GroupMembers is a group with a page of its members, by when they were made. NextCursor continues
// behind them; absent at the end.
type GroupMembers struct {
	ID         gate.ID   `json:"id"`
	ARN        string    `json:"arn"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"created_at"`
	Members    []Member  `json:"members"`
	NextCursor string    `json:"next_cursor,omitzero"`
}

// Member is a principal in a group.
type Member struct {
	ID       gate.ID `json:"id"`
	ARN      string  `json:"arn"`
	Name     string  `json:"name"`
	Kind     Kind    `json:"kind"`
	Disabled bool    `json:"disabled"`
}

// DescribeGroup shows a group and who is in it.
func (m *Manager) DescribeGroup(ctx context.Context, c *gate.Call, req DescribeGroupRequest) (*GroupMembers, error) {
	which, err := m.directory.groupReference(req.Group)
	var q store.Query
	if err == nil {
		err = page(&q, req.Limit, req.Cursor)
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out GroupMembers
	err = m.gate.Do(ctx, c, gate.Request{Resources: []string{which.arn(m.directory)}}, func(a gate.Approved) (gate.Outcome, error) {
		g, err := m.directory.group(ctx, a, which)
		if err != nil {
			return gate.Outcome{}, err
		}
		after := ""
		if q.After != "" {
			after = memberPrefix(g.id) + q.After
		}
		found, err := m.directory.members(ctx, g.id, after, q.Limit)
		if err != nil {
			return gate.Outcome{}, err
		}
		shown := m.directory.groupDocument(g.id, g.body)
		out = GroupMembers{ID: shown.ID, ARN: shown.ARN, Name: shown.Name, CreatedAt: shown.CreatedAt}
		out.Members, out.NextCursor, err = m.directory.show(ctx, g.id, &found)
		return gate.Outcome{Parameters: "group=" + g.id.String()}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// show makes a page of members.
func (d *Directory) show(ctx context.Context, group gate.ID, found *store.Page) (list []Member, next string, err error) {
	ids := make([]gate.ID, len(found.Items))
	for i := range ids {
		ids[i] = idOf(found.Items[i].ID[len(memberPrefix(group)):])
	}
	items, err := d.get(ctx, ids, principalRef)
	if err != nil {
		return nil, "", err
	}
	list = []Member{}
	for i := range items {
		if items[i].Revision == 0 { // deleted meanwhile
			continue
		}
		b, err := decodePrincipal(&items[i])
		if err != nil {
			return nil, "", err
		}
		p := d.document(ids[i], b, nil)
		list = append(list, Member{ID: p.ID, ARN: p.ARN, Name: p.Name, Kind: p.Kind, Disabled: p.Disabled})
	}
	if found.More && len(ids) > 0 {
		next = cursorBehind(ids[len(ids)-1])
	}
	return list, next, nil
}
