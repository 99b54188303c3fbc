package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/haven-health/haven/store"
)

// testModel runs random operations against the store and against the plainest description of it.
func testModel(t *testing.T, newHarness func(t *testing.T) Harness) {
	rapid.Check(t, func(r *rapid.T) {
		s := open(r, newHarness(t))
		defer s.close()
		m := &model{suite: s, first: s.build.Head.Epoch, items: map[store.Ref]store.Item{}}
		r.Repeat(map[string]func(*rapid.T){
			"commit": m.commitRandom,
			"stale":  m.commitStale,
			"repeat": m.repeat,
			"reopen": func(*rapid.T) { m.reopen() },
			"list":   m.listRandom,
			"due":    m.dueRandom,
			"":       func(*rapid.T) { m.check() },
		})
	})
}

type model struct {
	*suite
	first   store.Epoch
	items   map[store.Ref]store.Item
	batches []*store.Batch
	moved   []store.Moved
}

// Few ids, so that what is drawn meets what is there; among them prefixes of one another.
var (
	modelIDs    = []string{"a", "a\x00", "ab", "b", "\xff"}
	modelKinds  = []store.Kind{store.KindKey, store.KindVersion}
	modelValues = []string{"", "x", "y"}
)

func drawRef(r *rapid.T) store.Ref {
	return store.Ref{Kind: rapid.SampledFrom(modelKinds).Draw(r, "kind"), ID: rapid.SampledFrom(modelIDs).Draw(r, "id")}
}

// drawChanges draws changes of different items, some of which may expect a wrong revision, and
// tells which operations those belong to.
func (m *model) drawChanges(r *rapid.T) (changes []store.Change, wrong []int) {
	refs := rapid.SliceOfNDistinct(rapid.Custom(drawRef), 0, 4, rapid.ID[store.Ref]).Draw(r, "refs")
	ops := min(m.store.Limits().MaxChanging, 3)
	for _, ref := range refs {
		c := store.Change{Op: rapid.IntRange(0, ops-1).Draw(r, "op"), Expected: m.items[ref].Revision, Item: store.Item{Ref: ref}}
		if rapid.IntRange(0, 9).Draw(r, "luck") == 0 {
			c.Expected++
			wrong = append(wrong, c.Op)
		}
		if c.Delete = c.Expected > 0 && rapid.IntRange(0, 3).Draw(r, "delete") == 0; !c.Delete {
			c.Item.Body = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "body")
			c.Item.Due = rapid.Int64Range(0, 4).Draw(r, "due")
			for i := range c.Item.Index {
				c.Item.Index[i] = rapid.SampledFrom(modelValues).Draw(r, "index")
			}
		}
		changes = append(changes, c)
	}
	slices.Sort(wrong)
	return changes, slices.Compact(wrong)
}

func (m *model) commitRandom(r *rapid.T) {
	changes, wrong := m.drawChanges(r)
	touched := rapid.SliceOfN(rapid.Custom(drawRef), 0, 2).Draw(r, "touched")
	b := m.build.Batch(rapid.IntRange(1, 4).Draw(r, "records"), changes, touched...)
	if len(wrong) > 0 {
		m.conflicts(b, wrong...)
		return
	}
	m.commit(b)
	m.batches = append(m.batches, b)
	if len(touched) > 0 {
		m.moved = append(m.moved, store.Moved{Epoch: b.Next.Epoch, Touched: touched})
	}
	for _, c := range changes {
		if c.Delete {
			delete(m.items, c.Item.Ref)
		} else {
			m.items[c.Item.Ref] = c.Item
		}
	}
}

func (m *model) commitStale(r *rapid.T) {
	if len(m.batches) == 0 {
		return
	}
	other := *m.build
	other.Head = rapid.SampledFrom(m.batches).Draw(r, "batch").Seen
	changes, _ := m.drawChanges(r)
	m.refused(other.Batch(1, changes), store.ErrMoved)
}

func (m *model) repeat(r *rapid.T) {
	if len(m.batches) == 0 {
		return
	}
	i := rapid.IntRange(max(0, len(m.batches)-3), len(m.batches)-1).Draw(r, "batch")
	err := m.store.Commit(context.Background(), m.batches[i])
	if last := i == len(m.batches)-1; last && err != nil || !last && !errors.Is(err, store.ErrMoved) {
		m.Fatalf("batch %d of %d again: %v", i, len(m.batches), err)
	}
}

func (m *model) listRandom(r *rapid.T) {
	q := store.Query{
		Kind:    rapid.SampledFrom(modelKinds).Draw(r, "kind"),
		Index:   rapid.IntRange(0, store.MaxIndexes-1).Draw(r, "index"),
		Value:   rapid.SampledFrom(modelValues).Draw(r, "value"),
		Prefix:  rapid.SampledFrom([]string{"", "a", "\xff", "c"}).Draw(r, "prefix"),
		After:   rapid.SampledFrom(append([]string{""}, modelIDs...)).Draw(r, "after"),
		Limit:   rapid.IntRange(1, 6).Draw(r, "limit"),
		Reverse: rapid.Bool().Draw(r, "reverse"),
	}
	var want []store.Item
	for _, id := range []string{"a", "a\x00", "ab", "b", "\xff"} { // ascending
		it, exists := m.items[store.Ref{Kind: q.Kind, ID: id}]
		behind := q.After == "" || !q.Reverse && id > q.After || q.Reverse && id < q.After
		matches := q.Value != "" && it.Index[q.Index] == q.Value || q.Value == "" && strings.HasPrefix(id, q.Prefix)
		if exists && behind && matches {
			want = append(want, it)
		}
	}
	if q.Reverse {
		slices.Reverse(want)
	}
	page := m.list(q)
	more := len(want) > q.Limit
	m.sameItems(page.Items, want[:min(len(want), q.Limit)])
	if page.More != more || page.Epoch != m.build.Head.Epoch {
		m.Fatalf("%+v: more %v, epoch %v", q, page.More, page.Epoch)
	}
}

func (m *model) dueRandom(r *rapid.T) {
	q := store.DueQuery{Before: rapid.Int64Range(0, 4).Draw(r, "before"), Limit: rapid.IntRange(1, 6).Draw(r, "limit")}
	var due []store.Item
	for _, it := range m.items {
		if it.Due != 0 && it.Due <= q.Before {
			due = append(due, it)
		}
	}
	slices.SortFunc(due, func(a, b store.Item) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	})
	for {
		page, err := m.store.Due(context.Background(), q)
		m.must(err)
		want := due[:min(len(due), q.Limit)]
		m.sameItems(page.Items, want)
		if due = due[len(want):]; page.More != (len(due) > 0) || page.Epoch != m.build.Head.Epoch {
			m.Fatalf("%+v: more %v, epoch %v", q, page.More, page.Epoch)
		}
		if !page.More {
			return
		}
		q.After = page.Items[len(page.Items)-1]
	}
}

// check compares all that can be asked for without a choice.
func (m *model) check() {
	m.Helper()
	if head := m.head(); head != m.build.Head {
		m.Fatalf("head %+v, want %+v", head, m.build.Head)
	}
	var refs []store.Ref
	var want []store.Item
	for _, kind := range modelKinds {
		for _, id := range modelIDs {
			ref := store.Ref{Kind: kind, ID: id}
			it := m.items[ref]
			it.Ref = ref
			refs, want = append(refs, ref), append(want, it)
		}
	}
	got := m.get(refs...)
	for i := range got {
		got[i].Ref = refs[i] // of a missing item only the revision counts
	}
	m.sameItems(got, want)
	if frames := m.wholeJournal(); len(frames) != len(m.batches) {
		m.Fatalf("%d frames of %d batches", len(frames), len(m.batches))
	}
	moved, err := m.store.Changes(context.Background(), m.first)
	m.must(err)
	if len(moved) != len(m.moved) {
		m.Fatalf("%d epochs, want %d", len(moved), len(m.moved))
	}
	for i := range moved {
		if moved[i].Epoch != m.moved[i].Epoch || !sameRefs(moved[i].Touched, m.moved[i].Touched) {
			m.Fatalf("epoch %d: %+v, want %+v", i, moved[i], m.moved[i])
		}
	}
}

func (m *model) sameItems(got, want []store.Item) {
	m.Helper()
	text := func(items []store.Item) string {
		var out strings.Builder
		for _, it := range items {
			fmt.Fprintln(&out, describe(it))
		}
		return out.String()
	}
	if g, w := text(got), text(want); g != w {
		m.Fatalf("got\n%s\nwant\n%s", g, w)
	}
}
