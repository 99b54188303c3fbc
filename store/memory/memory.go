// Package memory is the Metadata Store in memory: the simplest thing that keeps the contract, for
// tests of what lies above it and as a yardstick for the stores that are durable.
//
// It guarantees all that package store promises, except that everything is gone with the process,
// and that a listing costs in proportion to what is stored of its kind, index value or first id bytes. It copies in and out: nothing it
// returns shares memory with it. It is not for production and no flag selects it.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/haven-health/haven/store"
)

// KeptEpochs is how many of the last epochs [Store.Changes] can tell of.
const KeptEpochs = 1000

// maxChanging is how many changing operations a batch may carry.
const maxChanging = 1000

// Store is a [store.Store] in memory. Use [New].
type Store struct {
	mu     sync.RWMutex
	items  map[store.Ref]store.Item
	due    map[int64]map[store.Ref]struct{} // what is due, by its span of time
	groups map[group]map[store.Ref]struct{} // what a listing may be about
	frames []store.Frame                    // never changed once appended
	moved  []store.Moved                    // the last KeptEpochs
	head   store.Head
	last   [16]byte // the id of the last batch; none while head.Position is 0
}

var _ store.Store = (*Store)(nil)

// New returns an empty store of the incarnation given.
func New(incarnation uint64) *Store {
	return &Store{
		items: map[store.Ref]store.Item{}, due: map[int64]map[store.Ref]struct{}{}, groups: map[group]map[store.Ref]struct{}{},
		head: store.Head{Epoch: store.Epoch{Incarnation: incarnation}},
	}
}

// Commit implements [store.Store].
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if ctx.Err() != nil {
		return store.ErrUnavailable
	}
	if err := b.Check(s.Limits()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head.Position != 0 && b.ID == s.last {
		return nil
	}
	if b.Seen != s.head {
		return store.ErrMoved
	}
	if err := s.conflict(b); err != nil {
		return err
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		s.undue(c.Item.Ref)
		if old, ok := s.items[c.Item.Ref]; ok {
			for _, g := range groupsOf(&old) {
				leave(s.groups, g, old.Ref)
			}
		}
		if c.Delete {
			delete(s.items, c.Item.Ref)
			continue
		}
		s.items[c.Item.Ref] = clone(c.Item)
		for _, g := range groupsOf(&c.Item) {
			join(s.groups, g, c.Item.Ref)
		}
		if at := c.Item.Due; at != 0 {
			join(s.due, spanOf(at), c.Item.Ref)
		}
	}
	s.frames = append(s.frames, store.Frame{Position: s.head.Position, Data: bytes.Clone(b.Frame)})
	if len(b.Touched) > 0 {
		s.moved = append(s.moved, store.Moved{Epoch: b.Next.Epoch, Touched: slices.Clone(b.Touched)})
		s.moved = s.moved[max(0, len(s.moved)-KeptEpochs):]
	}
	s.head, s.last = b.Next, b.ID
	return nil
}

// spanOf is the span of time, of 18 hours, that a moment lies in.
func spanOf(due int64) int64 { return due >> 26 }

// undue takes an item from what is due.
func (s *Store) undue(ref store.Ref) { leave(s.due, spanOf(s.items[ref].Due), ref) }

// group is what items have in common that listings ask for: their kind, and a value of an index, or the
// first bytes of their ids.
type group struct {
	kind  store.Kind
	place int // of an index; or one of the next two
	value string
}

const (
	whole  = -1 // all of a kind
	prefix = -2 // those whose ids begin with prefixLen bytes
)

// prefixLen is how long the id of a key is, which the ids of its versions begin with.
const prefixLen = 16

func groupsOf(it *store.Item) []group {
	out := []group{{it.Kind, whole, ""}}
	if len(it.ID) >= prefixLen {
		out = append(out, group{it.Kind, prefix, it.ID[:prefixLen]})
	}
	for place, value := range it.Index {
		if value != "" {
			out = append(out, group{it.Kind, place, value})
		}
	}
	return out
}

// groupOf is the smallest that holds what a listing asks for.
func groupOf(q *store.Query) group {
	switch {
	case q.Value != "":
		return group{q.Kind, q.Index, q.Value}
	case len(q.Prefix) >= prefixLen:
		return group{q.Kind, prefix, q.Prefix[:prefixLen]}
	}
	return group{q.Kind, whole, ""}
}

func join[K comparable](sets map[K]map[store.Ref]struct{}, of K, ref store.Ref) {
	in := sets[of]
	if in == nil {
		in = map[store.Ref]struct{}{}
		sets[of] = in
	}
	in[ref] = struct{}{}
}

func leave[K comparable](sets map[K]map[store.Ref]struct{}, of K, ref store.Ref) {
	delete(sets[of], ref)
	if len(sets[of]) == 0 {
		delete(sets, of)
	}
}

// conflict tells which operations expect another revision than they would find, each change being
// made after those before it.
func (s *Store) conflict(b *store.Batch) error {
	revisions := make(map[store.Ref]uint64, len(b.Changes))
	var ops []int
	for i := range b.Changes {
		c := &b.Changes[i]
		revision, changed := revisions[c.Item.Ref]
		if !changed {
			revision = s.items[c.Item.Ref].Revision
		}
		if revision != c.Expected {
			ops = append(ops, c.Op)
			continue
		}
		revisions[c.Item.Ref] = c.Item.Revision
		if c.Delete {
			revisions[c.Item.Ref] = 0
		}
	}
	if len(ops) == 0 {
		return nil
	}
	slices.Sort(ops)
	return &store.Conflict{Ops: slices.Compact(ops)}
}

func clone(it store.Item) store.Item {
	it.Body = bytes.Clone(it.Body)
	return it
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	if err := store.CheckGet(refs); err != nil {
		return nil, store.Epoch{}, err
	}
	if ctx.Err() != nil {
		return nil, store.Epoch{}, store.ErrUnavailable
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]store.Item, len(refs))
	for i, ref := range refs {
		out[i] = clone(s.items[ref])
		out[i].Ref = ref
	}
	return out, s.head.Epoch, nil
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	if ctx.Err() != nil {
		return store.Page{}, store.ErrUnavailable
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []store.Item
	for ref := range s.groups[groupOf(&q)] {
		if it := s.items[ref]; selects(&q, &it) {
			found = append(found, it)
		}
	}
	slices.SortFunc(found, func(a, b store.Item) int {
		if q.Reverse {
			a, b = b, a
		}
		return strings.Compare(a.ID, b.ID)
	})
	page := store.Page{Epoch: s.head.Epoch, More: len(found) > q.Limit}
	for _, it := range found[:min(len(found), q.Limit)] {
		page.Items = append(page.Items, clone(it))
	}
	return page, nil
}

func selects(q *store.Query, it *store.Item) bool {
	if it.Kind != q.Kind {
		return false
	}
	if q.After != "" && (!q.Reverse && it.ID <= q.After || q.Reverse && it.ID >= q.After) {
		return false
	}
	if q.Value != "" {
		return it.Index[q.Index] == q.Value
	}
	return strings.HasPrefix(it.ID, q.Prefix)
}

// Due implements [store.Store].
func (s *Store) Due(ctx context.Context, q store.DueQuery) (store.Page, error) {
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	if ctx.Err() != nil {
		return store.Page{}, store.ErrUnavailable
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	page := store.Page{Epoch: s.head.Epoch}
	for _, span := range slices.Sorted(maps.Keys(s.due)) {
		if span > spanOf(q.Before) {
			break
		}
		var found []store.Item
		for ref := range s.due[span] {
			it := s.items[ref]
			if it.Due <= q.Before && (q.After.ID == "" || compareDue(it, q.After) > 0) {
				found = append(found, it)
			}
		}
		slices.SortFunc(found, compareDue)
		for _, it := range found {
			if page.More = len(page.Items) == q.Limit; page.More {
				return page, nil
			}
			page.Items = append(page.Items, clone(it))
		}
	}
	return page, nil
}

// compareDue orders items by when they are due.
func compareDue(a, b store.Item) int {
	return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
}

// Head implements [store.Store].
func (s *Store) Head(ctx context.Context) (store.Head, error) {
	if ctx.Err() != nil {
		return store.Head{}, store.ErrUnavailable
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head, nil
}

// Changes implements [store.Store]. An epoch that has not been reached yet is answered with
// [store.ErrTooOld] too: who knows it knows another history.
func (s *Store) Changes(ctx context.Context, since store.Epoch) ([]store.Moved, error) {
	if ctx.Err() != nil {
		return nil, store.ErrUnavailable
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.head.Epoch
	kept := now.N - uint64(len(s.moved)) // the oldest epoch that all later ones are known of
	if since.Incarnation != now.Incarnation || since.N > now.N || since.N < kept {
		return nil, store.ErrTooOld
	}
	var out []store.Moved
	for _, m := range s.moved[since.N-kept:] {
		out = append(out, store.Moved{Epoch: m.Epoch, Touched: slices.Clone(m.Touched)})
	}
	return out, nil
}

// Records implements [store.Store].
func (s *Store) Records(ctx context.Context, from uint64) iter.Seq2[store.Frame, error] {
	s.mu.RLock()
	frames, end := s.frames, s.head.Position
	s.mu.RUnlock()
	return func(yield func(store.Frame, error) bool) {
		for i, f := range frames {
			next := end
			if i+1 < len(frames) {
				next = frames[i+1].Position
			}
			if next <= from {
				continue
			}
			if ctx.Err() != nil {
				yield(store.Frame{}, store.ErrUnavailable)
				return
			}
			if !yield(store.Frame{Position: f.Position, Data: bytes.Clone(f.Data)}, nil) {
				return
			}
		}
	}
}

// Limits implements [store.Store].
func (s *Store) Limits() store.Limits { return store.Limits{MaxChanging: maxChanging} }

// Close implements [store.Store]. The store keeps what it holds and can be used on, as a durable
// one that is opened again.
func (s *Store) Close() error { return nil }
