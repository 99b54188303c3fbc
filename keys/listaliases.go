package keys

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// ListAliasesRequest asks for a page of aliases by name: all, or those of Key.
type ListAliasesRequest struct {
	Key    string `json:"key,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// Alias is a name of a key.
type Alias struct {
	Alias     string    `json:"alias"`
	ARN       string    `json:"arn"`
	KeyID     gate.ID   `json:"key_id"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	// UpdatedAt is when it was last given another key; absent if never.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// AliasPage is a page of aliases. NextCursor continues behind it; absent at the end.
type AliasPage struct {
	Aliases    []Alias `json:"aliases"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListAliases returns a page of aliases by name, of keys that the caller may describe.
func (m *Manager) ListAliases(ctx context.Context, c *gate.Call, req ListAliasesRequest) (*AliasPage, error) {
	q := store.Query{Kind: store.KindAlias, Index: indexAliasOf}
	if err := page(&q, req.Limit, req.Cursor, aliasLen); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var about gate.Request
	if req.Key != "" {
		about.References = []gate.Reference{{Text: req.Key}}
	}
	limit := q.Limit
	if !seesAll(c.Principal()) {
		q.Limit = maxLooked
	}
	var out AliasPage
	err := m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		if req.Key != "" {
			id := a.Target(0).Key
			q.Value = string(id[:])
		}
		found, err := m.ring.cfg.View.List(ctx, q)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = AliasPage{Aliases: []Alias{}, NextCursor: nextCursor(&found)}
		return gate.Outcome{}, m.ring.listAliases(ctx, a, &found, limit, &out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// listAliases fills a page with what the caller may see of the aliases found.
func (r *Ring) listAliases(ctx context.Context, a gate.Approved, found *store.Page, limit int, out *AliasPage) error {
	keys, err := (&snapshot{ring: r, epoch: found.Epoch}).named(ctx, found.Items)
	if err != nil {
		return err
	}
	last := ""
	for i := range found.Items {
		if keys[i].Revision == 0 { // gone since
			continue
		}
		key, err := decodeKey(&keys[i])
		if err != nil {
			return err
		}
		visible, err := r.visible(ctx, a, idOf(keys[i].ID), key)
		if err != nil {
			return err
		}
		if !visible {
			continue
		}
		if len(out.Aliases) == limit { // and here is one more
			out.NextCursor = cursorBehind(last)
			return nil
		}
		b, err := decodeAlias(&found.Items[i])
		if err != nil {
			return err
		}
		last = found.Items[i].ID
		out.Aliases = append(out.Aliases, Alias{
			Alias: "alias/" + last, ARN: r.cfg.Place.AliasARN(last), KeyID: b.Key, CreatedAt: b.Created, UpdatedAt: b.Updated,
		})
	}
	return nil
}
