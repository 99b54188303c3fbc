package keys

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// Bounds of a page.
const (
	defaultPage = 50
	maxPage     = 100
)

// ListRequest asks for a page of keys, newest first; Type, if given, only of that type.
type ListRequest struct {
	Type   Type   `json:"type,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// KeyPage is a page of keys. NextCursor continues behind it; absent at the end.
type KeyPage struct {
	Keys       []Key  `json:"keys"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// ListKeys returns a page of keys, newest first.
func (m *Manager) ListKeys(ctx context.Context, c *gate.Call, req ListRequest) (*KeyPage, error) {
	q := store.Query{Kind: store.KindKey, Reverse: true, Index: indexType, Value: string(req.Type)}
	if req.Type != "" && !slices.ContainsFunc(kinds, func(k Kind) bool { return k.Type == req.Type }) {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "type must be master, data, signing or transport"))
	}
	if err := page(&q, req.Limit, req.Cursor, keyIDLen); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out KeyPage
	err := m.gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		found, primaries, err := m.ring.snapshot(ctx, a, q)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = KeyPage{Keys: []Key{}}
		for i := range found.Items {
			key, primary, err := m.ring.listed(&found.Items[i], &primaries[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Keys = append(out.Keys, m.ring.document(idOf(found.Items[i].ID), key, primary, a.Time()))
		}
		out.NextCursor = nextCursor(&found)
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func idOf(s string) (id gate.ID) {
	copy(id[:], s)
	return id
}

// snapshot reads a page of keys and the primary of each as of one epoch: it reads again while the
// epoch moves between the two.
func (r *Ring) snapshot(ctx context.Context, a gate.Approved, q store.Query) (store.Page, []store.Item, error) {
	a.Principal()
	for {
		found, err := r.cfg.View.List(ctx, q)
		if err != nil {
			return found, nil, err
		}
		refs := make([]store.Ref, len(found.Items))
		for i := range found.Items {
			key, err := decodeKey(&found.Items[i])
			if err != nil {
				return found, nil, err
			}
			refs[i] = versionRef(versionID{idOf(found.Items[i].ID), max(key.Life.Primary, 1)})
		}
		primaries := make([]store.Item, 0, len(refs))
		same := true
		for len(refs) > 0 {
			n := min(len(refs), store.MaxGet)
			items, epoch, err := r.cfg.View.Get(ctx, refs[:n]...)
			if err != nil {
				return found, nil, err
			}
			same = same && epoch == found.Epoch
			primaries, refs = append(primaries, items...), refs[n:]
		}
		if same {
			return found, primaries, nil
		}
		if err := ctx.Err(); err != nil {
			return found, nil, gate.Errorf(gate.Contended, "the keys changed faster than they could be listed; try again")
		}
	}
}

// listed decodes a listed key, with the stops chain's word on it, and its primary, if it has one.
func (r *Ring) listed(item, primary *store.Item) (*keyBody, *versionBody, error) {
	key, err := decodeKey(item)
	if err != nil {
		return nil, nil, err
	}
	r.stopKey(idOf(item.ID), &key.Life)
	if key.Life.Primary == 0 || primary.Revision == 0 {
		return key, nil, nil
	}
	v, err := decodeVersion(primary)
	return key, v, err
}

// Lengths of the ids that cursors are made of.
const (
	keyIDLen     = 16
	versionIDLen = 20
)

// page puts limit and cursor into a query over items whose ids have a length.
func page(q *store.Query, limit int, cursor string, idLen int) error {
	switch {
	case limit < 0 || limit > maxPage:
		return gate.Errorf(gate.InvalidRequest, "limit is 1 to %d", maxPage)
	case limit == 0:
		limit = defaultPage
	}
	q.Limit = limit
	if cursor == "" {
		return nil
	}
	after, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(after) != idLen {
		return gate.Errorf(gate.InvalidRequest, "not a cursor that a list returned")
	}
	q.After = string(after)
	return nil
}

func nextCursor(p *store.Page) string {
	if !p.More || len(p.Items) == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(p.Items[len(p.Items)-1].ID))
}

// ListVersionsRequest asks for a page of a key's versions, newest first.
type ListVersionsRequest struct {
	Key    string `json:"key"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// VersionPage is a page of versions.
type VersionPage struct {
	Versions   []Version `json:"versions"`
	NextCursor string    `json:"next_cursor,omitzero"`
}

// ListKeyVersions returns a page of a key's versions, newest first.
func (m *Manager) ListKeyVersions(ctx context.Context, c *gate.Call, req ListVersionsRequest) (*VersionPage, error) {
	q := store.Query{Kind: store.KindVersion, Reverse: true}
	if err := page(&q, req.Limit, req.Cursor, versionIDLen); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out VersionPage
	err := m.gate.Do(ctx, c, gate.Request{References: []gate.Reference{{Text: req.Key}}}, func(a gate.Approved) (gate.Outcome, error) {
		key := a.Target(0).Domain.(*loadedKey)
		q.Prefix = key.item.ID
		found, err := m.ring.cfg.View.List(ctx, q)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = VersionPage{Versions: []Version{}, NextCursor: nextCursor(&found)}
		for i := range found.Items {
			v, err := m.ring.showVersion(a, key, &found.Items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Versions = append(out.Versions, v)
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (r *Ring) showVersion(a gate.Approved, key *loadedKey, item *store.Item) (Version, error) {
	b, err := decodeVersion(item)
	if err != nil {
		return Version{}, err
	}
	life := b.Life
	if s := r.cfg.View.Stopped(item.Ref); s.Compromised {
		life.State, life.WasCompromised = lifecycle.Compromised, true
	}
	return Version{
		KeyID: idOf(item.ID).String(), Version: binary.BigEndian.Uint32([]byte(item.ID[16:])),
		State:     lifecycle.Effective(key.body.Life, life, a.Time()),
		CreatedAt: life.CreatedAt, ExpiresAt: life.ExpiresAt, GraceEndsAt: life.GraceEndsAt,
		LifetimeEndsAt: life.LifetimeEndsAt, DeletionDate: life.DeletionDate,
		WasCompromised: life.WasCompromised, WrappedBy: r.wrappedBy(b), CheckValue: b.Check,
	}, nil
}
