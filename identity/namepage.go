package identity

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// namePage is a page of names: what has them, and where the next begins, "" at the end.
type namePage struct {
	ids  []gate.ID
	next string
}

// listNames returns a page of the names of one or more spaces that begin with a prefix, by space, then by
// name.
func (d *Directory) listNames(ctx context.Context, prefix string, limit int, cursor string, spaces ...space) (*namePage, error) {
	after, err := nameCursor(cursor, spaces)
	if err != nil {
		return nil, err
	}
	if prefix != "" && (len(prefix) > MaxPolicyName || strings.ContainsFunc(prefix, notName)) {
		return nil, gate.Errorf(gate.InvalidRequest, "prefix is what names begin with: letters, digits and +=,.@_-")
	}
	var q store.Query
	if err := page(&q, limit, ""); err != nil {
		return nil, err
	}
	out, room := &namePage{}, q.Limit
	for i, s := range spaces {
		q = store.Query{Kind: store.KindName, Prefix: string(s) + "/" + prefix, Limit: room}
		if after != "" {
			if !strings.HasPrefix(after, string(s)+"/") {
				continue // the cursor stands in a later space
			}
			q.After, after = after, ""
		}
		found, err := d.view.List(ctx, q)
		if err != nil {
			return nil, err
		}
		last := ""
		for k := range found.Items {
			b, err := decodeName(&found.Items[k])
			if err != nil {
				return nil, err
			}
			out.ids, last = append(out.ids, b.ID), found.Items[k].ID
		}
		room -= len(found.Items)
		switch {
		case found.More:
			out.next = base64.RawURLEncoding.EncodeToString([]byte(last))
			return out, nil
		case room == 0 && i < len(spaces)-1: // the next page begins with the next space
			out.next = base64.RawURLEncoding.EncodeToString([]byte(string(spaces[i+1]) + "/"))
			return out, nil
		}
	}
	return out, nil
}

// nameCursor reads where a page begins: behind a name of one of the spaces, or at the first of one.
func nameCursor(cursor string, spaces []space) (string, error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	s, name, _ := strings.Cut(string(b), "/")
	if err != nil || !slices.Contains(spaces, space(s)) || name != "" && checkName(space(s), name) != nil {
		return "", gate.Errorf(gate.InvalidRequest, "not a cursor that this list returned")
	}
	return string(b), nil
}

// get returns items of any number, from one snapshot for each 64.
func (d *Directory) get(ctx context.Context, ids []gate.ID, ref func(gate.ID) store.Ref) ([]store.Item, error) {
	out := make([]store.Item, 0, len(ids))
	for part := range slices.Chunk(ids, store.MaxGet) {
		refs := make([]store.Ref, len(part))
		for i, id := range part {
			refs[i] = ref(id)
		}
		items, _, err := d.view.Get(ctx, refs...)
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
	}
	return out, nil
}
