package vault

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Bounds of a page.
const (
	defaultPage = 50
	maxPage     = 60 // as many as are read at once
)

// ListStoredKeysRequest asks for a page of stored keys by name: those whose names begin with Prefix, and that have
// the Tag, NAME or NAME=VALUE.
type ListStoredKeysRequest struct {
	Prefix string `json:"prefix,omitzero"`
	Tag    string `json:"tag,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// StoredKeyPage is a page of stored keys. It may be short, even empty, and not the last: NextCursor alone tells.
type StoredKeyPage struct {
	StoredKeys []StoredKey `json:"stored_keys"`
	NextCursor string      `json:"next_cursor,omitzero"`
}

// ListStoredKeys lists those stored keys that the caller may describe.
func (m *Manager) ListStoredKeys(ctx context.Context, c *gate.Call, req ListStoredKeysRequest) (*StoredKeyPage, error) {
	q, err := req.query()
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out StoredKeyPage
	err = m.gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		page, err := m.cfg.View.List(ctx, q)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = StoredKeyPage{StoredKeys: []StoredKey{}}
		bodies, err := m.named(ctx, page.Items)
		if err != nil {
			return gate.Outcome{}, err
		}
		for _, b := range bodies {
			arn := m.arn(b.Name, b.Suffix)
			if req.shows(b) && a.May(gate.DescribeStoredKey, &access.Object{ARN: arn, Account: m.cfg.Account, Tags: b.Tags}, gate.Asked{}) {
				out.StoredKeys = append(out.StoredKeys, m.document(b))
			}
		}
		if page.More {
			out.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(page.Items[len(page.Items)-1].ID))
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (req *ListStoredKeysRequest) query() (q store.Query, err error) {
	switch {
	case req.Prefix != "" && (!ValidName(req.Prefix) || len(req.Prefix) >= longName):
		return q, gate.Errorf(gate.InvalidRequest, "prefix is the beginning of a name, at most %d characters", longName-1)
	case req.Limit < 0 || req.Limit > maxPage:
		return q, gate.Errorf(gate.InvalidRequest, "limit is 1 to %d", maxPage)
	case req.Limit == 0:
		req.Limit = defaultPage
	}
	q = store.Query{Kind: store.KindName, Prefix: storedNames + req.Prefix, Limit: req.Limit}
	if req.Cursor == "" {
		return q, nil
	}
	after, err := base64.RawURLEncoding.Strict().DecodeString(req.Cursor)
	if err != nil || !strings.HasPrefix(string(after), storedNames) || len(after) > store.MaxID {
		return q, gate.Errorf(gate.InvalidRequest, "not a cursor that this list returned")
	}
	q.After = string(after)
	return q, nil
}

// shows tells whether the filter lets a stored key through.
func (req *ListStoredKeysRequest) shows(b *storedBody) bool {
	if req.Tag == "" {
		return true
	}
	name, value, valued := strings.Cut(req.Tag, "=")
	got, has := b.Tags[name]
	return has && (!valued || got == value)
}

// named reads the stored keys of names, in their order; one that went meanwhile is left out.
func (m *Manager) named(ctx context.Context, names []store.Item) ([]*storedBody, error) {
	refs := make([]store.Ref, 0, len(names))
	for i := range names {
		b, err := decodeName(&names[i])
		if err != nil {
			return nil, err
		}
		refs = append(refs, storedRef(b.ID))
	}
	if len(refs) == 0 {
		return nil, nil
	}
	items, _, err := m.cfg.View.Get(ctx, refs...)
	if err != nil {
		return nil, err
	}
	var out []*storedBody
	for i := range items {
		if items[i].Revision == 0 {
			continue
		}
		b, err := decodeStored(&items[i])
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}
