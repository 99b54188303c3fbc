package identity

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Group is a group as requests are answered. Its members have its policies.
type Group struct {
	ID        gate.ID   `json:"id"`
	ARN       string    `json:"arn"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

func (d *Directory) groupDocument(id gate.ID, b *groupBody) Group {
	return Group{ID: id, ARN: arn(d.account, groupNames, b.Name), Name: b.Name, CreatedAt: b.Created}
}

// foundGroup is a group that an operation found.
type foundGroup struct {
	id   gate.ID
	name *store.Item
	item *store.Item
	body *groupBody
}

// group finds a group, and notes it.
func (d *Directory) group(ctx context.Context, a gate.Approved, r reference) (*foundGroup, error) {
	id, name, err := d.find(ctx, a, r)
	if err != nil {
		return nil, err
	}
	items, err := d.read(ctx, a, groupRef(id))
	if err != nil {
		return nil, err
	}
	if items[0].Revision == 0 {
		return nil, missing("group")
	}
	b, err := decodeGroup(&items[0])
	return &foundGroup{id: id, name: name, item: &items[0], body: b}, err
}

// memberPrefix begins the ids of a group's memberships: each is an item, so that a group may have any
// number of members and they can be listed. What makes a principal a member is its own item, which
// names the group; these decide nothing.
func memberPrefix(group gate.ID) string { return "member/" + string(group[:]) }

func memberRef(group, principal gate.ID) store.Ref {
	return store.Ref{Kind: store.KindName, ID: memberPrefix(group) + string(principal[:])}
}

// members returns the items of a group's memberships behind one.
func (d *Directory) members(ctx context.Context, group gate.ID, after string, limit int) (store.Page, error) {
	return d.view.List(ctx, store.Query{Kind: store.KindName, Prefix: memberPrefix(group), After: after, Limit: limit})
}
