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

// ListAliases returns a page of aliases by name.
func (m *Manager) ListAliases(ctx context.Context, c *gate.Call, req ListAliasesRequest) (*AliasPage, error) {
	q := store.Query{Kind: store.KindAlias, Index: indexAliasOf}
	if err := page(&q, req.Limit, req.Cursor, aliasLen); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var about gate.Request
	if req.Key != "" {
		about.References = []gate.Reference{{Text: req.Key}}
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
		for i := range found.Items {
			name := found.Items[i].ID
			b, err := decodeAlias(&found.Items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Aliases = append(out.Aliases, Alias{
				Alias: "alias/" + name, ARN: m.ring.cfg.Place.AliasARN(name), KeyID: b.Key, CreatedAt: b.Created, UpdatedAt: b.Updated,
			})
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
