package keys

import (
	"context"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// KeyPage is a page of keys. NextCursor continues behind it; absent at the end. A page of a filtered
// list may be short, even empty, and not the last: NextCursor alone tells.
type KeyPage struct {
	Keys       []Key  `json:"keys"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// ListKeys returns a page of the keys that the caller may describe, newest first, or by alias where
// AliasPrefix is given.
func (m *Manager) ListKeys(ctx context.Context, c *gate.Call, req ListRequest) (*KeyPage, error) {
	f, err := req.filter()
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out *KeyPage
	f.look(c)
	err = m.gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		var err error
		if out, err = m.ring.list(ctx, a, f); err != nil {
			return gate.Outcome{}, err
		}
		documents := make([]*Key, len(out.Keys))
		for i := range out.Keys {
			documents[i] = &out.Keys[i]
		}
		return gate.Outcome{}, m.ring.tell(ctx, a, documents...)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func idOf(s string) (id gate.ID) {
	copy(id[:], s)
	return id
}

// list reads a page as of one epoch: it reads again while the epoch moves within it.
func (r *Ring) list(ctx context.Context, a gate.Approved, f *filter) (*KeyPage, error) {
	a.Principal()
	for {
		s := snapshot{ring: r}
		out, err := s.list(ctx, a, f)
		if err != nil || !s.moved {
			return out, err
		}
		if err := ctx.Err(); err != nil {
			return nil, gate.Errorf(gate.Contended, "the keys changed faster than they could be listed; try again")
		}
	}
}

// snapshot reads several times as of one epoch, and notices when it was not one.
type snapshot struct {
	ring  *Ring
	epoch store.Epoch
	moved bool
}

// candidate is a key that may belong on the page.
type candidate struct {
	place string // the id that a cursor continues behind
	id    gate.ID
	body  *keyBody
}

func (s *snapshot) list(ctx context.Context, a gate.Approved, f *filter) (*KeyPage, error) {
	found, more, last, err := s.candidates(ctx, a, f)
	if err != nil {
		return nil, err
	}
	out := &KeyPage{Keys: []Key{}}
	if more {
		out.NextCursor = cursorBehind(last)
	}
	for part := range slices.Chunk(found, store.MaxGet) {
		primaries, err := s.primaries(ctx, part)
		if err != nil {
			return nil, err
		}
		for i, c := range part {
			k := s.ring.document(c.id, c.body, primaries[i], a.Time())
			if !f.shows(&k, &c.body.Life) {
				continue
			}
			if len(out.Keys) == f.limit { // and here is one more
				out.NextCursor = cursorBehind(last)
				return out, nil
			}
			out.Keys, last = append(out.Keys, k), c.place
		}
	}
	return out, nil
}

// candidates returns the keys that fit by themselves and that the caller may describe, of as many as
// one call looks at. more tells that others follow behind last.
func (s *snapshot) candidates(ctx context.Context, a gate.Approved, f *filter) (found []candidate, more bool, last string, err error) {
	page, err := s.ring.cfg.View.List(ctx, f.query)
	if err != nil {
		return nil, false, "", err
	}
	s.epoch = page.Epoch
	if more = page.More; len(page.Items) > 0 {
		last = page.Items[len(page.Items)-1].ID
	}
	keys := page.Items
	if f.query.Kind == store.KindAlias {
		if keys, err = s.named(ctx, page.Items); err != nil {
			return nil, false, "", err
		}
	}
	for i := range keys {
		if keys[i].Revision == 0 { // gone since
			s.moved = true
			continue
		}
		key, err := decodeKey(&keys[i])
		if err != nil {
			return nil, false, "", err
		}
		c := candidate{place: page.Items[i].ID, id: idOf(keys[i].ID), body: key}
		s.ring.stopKey(c.id, &key.Life)
		if !f.fits(key) || f.query.Kind == store.KindAlias && c.place != key.firstAlias(f.prefix) {
			continue
		}
		if visible, err := s.ring.visible(ctx, a, c.id, key); err != nil {
			return nil, false, "", err
		} else if visible {
			found = append(found, c)
		}
	}
	return found, more, last, nil
}

// named returns the keys that aliases name, in their order.
func (s *snapshot) named(ctx context.Context, aliases []store.Item) ([]store.Item, error) {
	refs := make([]store.Ref, len(aliases))
	for i := range aliases {
		b, err := decodeAlias(&aliases[i])
		if err != nil {
			return nil, err
		}
		refs[i] = keyRef(b.Key)
	}
	return s.get(ctx, refs)
}

// get reads any number of items.
func (s *snapshot) get(ctx context.Context, refs []store.Ref) ([]store.Item, error) {
	out := make([]store.Item, 0, len(refs))
	for part := range slices.Chunk(refs, store.MaxGet) {
		items, epoch, err := s.ring.cfg.View.Get(ctx, part...)
		if err != nil {
			return nil, err
		}
		s.moved = s.moved || epoch != s.epoch
		out = append(out, items...)
	}
	return out, nil
}

// primaries returns the version that each key shows, nil where there is none.
func (s *snapshot) primaries(ctx context.Context, of []candidate) ([]*versionBody, error) {
	refs := make([]store.Ref, len(of))
	for i, c := range of {
		refs[i] = versionRef(versionID{c.id, max(shown(c.body.Life), 1)})
	}
	items, err := s.get(ctx, refs)
	if err != nil {
		return nil, err
	}
	out := make([]*versionBody, len(of))
	for i := range items {
		if shown(of[i].body.Life) == 0 || items[i].Revision == 0 {
			continue
		}
		if out[i], err = decodeVersion(&items[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// firstAlias is the least of a key's aliases with a prefix: a list by alias shows the key there
// alone.
func (b *keyBody) firstAlias(prefix string) (first string) {
	for _, name := range b.aliases() {
		if len(name) >= len(prefix) && name[:len(prefix)] == prefix && (first == "" || name < first) {
			first = name
		}
	}
	return first
}
