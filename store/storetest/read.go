package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// insert commits items, each an operation of its own, in as many batches as the store needs.
func (s *suite) insert(items ...store.Item) {
	s.Helper()
	for chunk := range slices.Chunk(items, min(s.store.Limits().MaxChanging, 500)) {
		changes := make([]store.Change, len(chunk))
		for i, it := range chunk {
			changes[i] = Put(i, 0, it)
		}
		s.commit(s.build.Batch(1, changes))
	}
}

func ids(items []store.Item) string {
	var out []string
	for _, it := range items {
		out = append(out, it.ID)
	}
	return strings.Join(out, " ")
}

func testGet(s *suite) {
	s.insert(Item(store.KindKey, "a", "key a"), Item(store.KindAlias, "a", "alias a"), Item(store.KindKey, "b", "key b"))
	s.commit(s.build.Batch(1, nil, key("a")))
	missing := store.Ref{Kind: store.KindVersion, ID: "a"}
	refs := []store.Ref{key("b"), missing, {Kind: store.KindAlias, ID: "a"}, key("a"), key("b"), key("A"), key("a\x00")}
	items, epoch, err := s.store.Get(context.Background(), refs...)
	s.must(err)
	if epoch != s.head().Epoch {
		s.Fatalf("epoch %v, head %+v", epoch, s.head())
	}
	want := []string{"key b", "", "alias a", "key a", "key b", "", ""}
	for i, it := range items {
		if string(it.Body) != want[i] || (it.Revision == 0) != (want[i] == "") {
			s.Fatalf("item %d, asked for %s: %s", i, refs[i], describe(it))
		}
		if it.Revision != 0 && it.Ref != refs[i] {
			s.Fatalf("item %d is %s, asked for %s", i, it.Ref, refs[i])
		}
	}
	if got := s.get(); len(got) != 0 {
		s.Fatalf("Get of nothing returned %d items", len(got))
	}
	many := make([]store.Ref, store.MaxGet)
	for i := range many {
		many[i] = key("a")
	}
	s.get(many...)
}

func testQueryLimits(s *suite) {
	ctx := context.Background()
	long := strings.Repeat("x", max(store.MaxID, store.MaxIndex)+1)
	for _, refs := range [][]store.Ref{
		make([]store.Ref, store.MaxGet+1), {key("")}, {key(long)}, {{ID: "a"}},
	} {
		if _, _, err := s.store.Get(ctx, refs...); !errors.Is(err, store.ErrInvalid) {
			s.Fatalf("Get of %d bad references: %v", len(refs), err)
		}
	}
	for _, q := range []store.Query{
		{Kind: store.KindKey}, {Kind: store.KindKey, Limit: -1}, {Kind: store.KindKey, Limit: store.MaxPage + 1}, {Limit: 1},
		{Kind: store.KindKey, Limit: 1, Value: "x", Index: -1}, {Kind: store.KindKey, Limit: 1, Value: "x", Index: store.MaxIndexes},
		{Kind: store.KindKey, Limit: 1, Value: long}, {Kind: store.KindKey, Limit: 1, Prefix: long},
		{Kind: store.KindKey, Limit: 1, After: long},
	} {
		if _, err := s.store.List(ctx, q); !errors.Is(err, store.ErrInvalid) {
			s.Fatalf("List of %+v: %v", q, err)
		}
	}
}

func testListByID(s *suite) {
	for _, id := range []string{"b", "a", "ab", "\x00", "a\x00", "a\xff", "a\xff\xff", "\xff", "\xff\xff", "B", "é"} {
		s.insert(Item(store.KindKey, id, "x"))
	}
	s.insert(Item(store.KindAlias, "a", "another kind"))
	for _, test := range []struct {
		q    store.Query
		want string
	}{
		{store.Query{}, "\x00 B a a\x00 ab a\xff a\xff\xff b é \xff \xff\xff"},
		{store.Query{Reverse: true}, "\xff\xff \xff é b a\xff\xff a\xff ab a\x00 a B \x00"},
		{store.Query{Prefix: "a"}, "a a\x00 ab a\xff a\xff\xff"},
		{store.Query{Prefix: "a", Reverse: true}, "a\xff\xff a\xff ab a\x00 a"},
		{store.Query{Prefix: "a\xff"}, "a\xff a\xff\xff"},
		{store.Query{Prefix: "\xff"}, "\xff \xff\xff"},
		{store.Query{Prefix: "\xff\xff"}, "\xff\xff"},
		{store.Query{Prefix: "%"}, ""},
		{store.Query{Prefix: "a", After: "a"}, "a\x00 ab a\xff a\xff\xff"},
		{store.Query{Prefix: "a", After: "aa"}, "ab a\xff a\xff\xff"},
		{store.Query{Prefix: "a", After: "B"}, "a a\x00 ab a\xff a\xff\xff"},
		{store.Query{Prefix: "a", After: "b"}, ""},
		{store.Query{Prefix: "a", After: "ab", Reverse: true}, "a\x00 a"},
		{store.Query{Prefix: "a", After: "b", Reverse: true}, "a\xff\xff a\xff ab a\x00 a"},
		{store.Query{After: "\xff\xff"}, ""},
		{store.Query{After: "\x00", Reverse: true}, ""},
	} {
		test.q.Kind, test.q.Limit = store.KindKey, store.MaxPage
		page := s.list(test.q)
		if got := ids(page.Items); got != test.want || page.More {
			s.Fatalf("%+v: got %q, more %v, want %q", test.q, got, page.More, test.want)
		}
	}
}

func testListByIndex(s *suite) {
	put := func(id string, index ...string) store.Item {
		it := Item(store.KindKey, id, "x")
		copy(it.Index[:], index)
		return it
	}
	s.insert(put("c", "x", "y"), put("a", "x"), put("b", "y", "x"), put("d", "", "", "", "x"), put("e", "x\x00"), put("f", "X"))
	other := put("a", "x")
	other.Kind = store.KindVersion
	s.insert(other)
	check := func(q store.Query, want string) {
		s.Helper()
		q.Kind, q.Limit = store.KindKey, store.MaxPage
		if got := ids(s.list(q).Items); got != want {
			s.Fatalf("%+v: got %q, want %q", q, got, want)
		}
	}
	check(store.Query{Value: "x"}, "a c")
	check(store.Query{Value: "x", Reverse: true}, "c a")
	check(store.Query{Value: "x", After: "a"}, "c")
	check(store.Query{Value: "x", After: "c", Reverse: true}, "a")
	check(store.Query{Value: "x", Prefix: "zzz"}, "a c") // the prefix is of the other way to list
	check(store.Query{Value: "x", Index: 1}, "b")
	check(store.Query{Value: "x", Index: 2}, "")
	check(store.Query{Value: "x", Index: 3}, "d")
	check(store.Query{Value: "x\x00"}, "e")
	// An index follows its item.
	s.commit(s.build.Batch(1, []store.Change{Put(0, 1, put("c", "y"))}, key("c")))
	check(store.Query{Value: "x"}, "a")
	check(store.Query{Value: "y"}, "b c")
	s.commit(s.build.Batch(1, []store.Change{Delete(0, 1, key("a"))}, key("a")))
	check(store.Query{Value: "x"}, "")
}

func testPages(s *suite) {
	var all []store.Item
	for i := range 23 {
		it := Item(store.KindKey, fmt.Sprintf("k%02d", i), "x")
		it.Index[0] = []string{"even", "odd"}[i%2]
		all = append(all, it)
	}
	s.insert(all...)
	for _, q := range []store.Query{{}, {Reverse: true}, {Value: "odd"}, {Value: "even", Reverse: true}, {Prefix: "k1"}} {
		q.Kind = store.KindKey
		q.Limit = store.MaxPage
		whole := s.list(q)
		for limit := 1; limit <= len(whole.Items)+1; limit++ {
			q.Limit, q.After = limit, ""
			var got []store.Item
			for {
				page := s.list(q)
				got = append(got, page.Items...)
				if more := len(got) < len(whole.Items); page.More != more || len(page.Items) != limit && more {
					s.Fatalf("%+v: page of %d, more %v, %d of %d so far", q, len(page.Items), page.More, len(got), len(whole.Items))
				}
				if !page.More {
					break
				}
				q.After = got[len(got)-1].ID
			}
			if ids(got) != ids(whole.Items) {
				s.Fatalf("%+v: got %q, want %q", q, ids(got), ids(whole.Items))
			}
		}
	}
}

func testDue(s *suite) {
	due := func(kind store.Kind, id string, at int64) store.Item {
		it := Item(kind, id, "x")
		it.Due = at
		return it
	}
	s.insert(due(store.KindKey, "30", 30), due(store.KindVersion, "10", 10), due(store.KindKey, "never", 0),
		due(store.KindAlias, "20", 20), due(store.KindSetting, "max", 1<<63-1))
	check := func(before int64, limit int, want string) {
		s.Helper()
		page, err := s.store.Due(context.Background(), store.DueQuery{Before: before, Limit: limit})
		s.must(err)
		if got := ids(page.Items); got != want {
			s.Fatalf("due before %d, at most %d: got %q, want %q", before, limit, got, want)
		}
	}
	check(9, 10, "")
	check(10, 10, "10")
	check(29, 10, "10 20")
	check(30, 10, "10 20 30")
	check(1000, 2, "10 20")
	check(1<<63-1, 10, "10 20 30 max")
	s.commit(s.build.Batch(1, []store.Change{Put(0, 1, due(store.KindVersion, "10", 40))}, key("x")))
	s.commit(s.build.Batch(1, []store.Change{Put(0, 1, due(store.KindAlias, "20", 0))}, key("x")))
	s.commit(s.build.Batch(1, []store.Change{Delete(0, 1, key("30"))}, key("x")))
	check(1000, 10, "10")
	s.reopen()
	check(1000, 10, "10")
}

func testEpochs(s *suite) {
	ctx := context.Background()
	first := s.head().Epoch
	want := [][]store.Ref{{key("a")}, {key("b"), {Kind: store.KindPrincipal, ID: "p\x00"}}, {key("c"), key("a")}}
	for _, touched := range want {
		s.commit(s.build.Batch(1, []store.Change{}, touched...))
		s.commit(s.build.Batch(1, nil)) // uses and inserts move nothing
		s.insert(Item(store.KindKey, "insert"+touched[0].ID, "x"))
	}
	if got := s.head().Epoch; got.N != first.N+3 || got.Incarnation != first.Incarnation {
		s.Fatalf("epoch %v after three that touched, from %v", got, first)
	}
	for since := range uint64(4) {
		moved, err := s.store.Changes(ctx, store.Epoch{Incarnation: first.Incarnation, N: first.N + since})
		s.must(err)
		if len(moved) != 3-int(since) {
			s.Fatalf("%d epochs since %d", len(moved), since)
		}
		for i, m := range moved {
			n := since + uint64(i)
			if m.Epoch != (store.Epoch{Incarnation: first.Incarnation, N: first.N + n + 1}) || !sameRefs(m.Touched, want[n]) {
				s.Fatalf("since %d: %+v, want %v", since, m, want[n])
			}
		}
	}
	_, err := s.store.Changes(ctx, store.Epoch{Incarnation: first.Incarnation + 1, N: first.N})
	if !errors.Is(err, store.ErrTooOld) {
		s.Fatalf("changes since another incarnation: %v", err)
	}
}

// sameRefs compares what was touched; the order does not matter.
func sameRefs(a, b []store.Ref) bool {
	text := func(refs []store.Ref) []string {
		var out []string
		for _, r := range refs {
			out = append(out, r.String())
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(text(a), text(b))
}

// wholeJournal reads all frames and checks that they are one chain up to the head.
func (s *suite) wholeJournal() []store.Frame {
	s.Helper()
	frames := s.frames(0)
	var at store.Head
	for i, f := range frames {
		decoded, err := journal.DecodeFrame(f.Data)
		s.must(err)
		if f.Position != at.Position || decoded.Position != at.Position || decoded.Before != at.Chain {
			s.Fatalf("frame %d at %d, says %d: want %d", i, f.Position, decoded.Position, at.Position)
		}
		at.Position += uint64(decoded.Count)
		at.Chain = decoded.After
	}
	if head := s.head(); head.Position != at.Position || head.Chain != at.Chain {
		s.Fatalf("the journal leads to %+v, the head is %+v", at, head)
	}
	return frames
}

func testRecords(s *suite) {
	var batches []*store.Batch
	for i := range 9 {
		var changes []store.Change
		if i%3 == 1 {
			changes = append(changes, Put(0, 0, Item(store.KindKey, fmt.Sprint(i), "x")))
		}
		b := s.build.Batch(1+i%4, changes)
		s.commit(b)
		batches = append(batches, b)
	}
	check := func() {
		s.Helper()
		s.wholeJournal()
		for from := range s.head().Position + 3 {
			got := s.frames(from)
			want := batches
			for len(want) > 0 && want[0].Next.Position <= from {
				want = want[1:]
			}
			if len(got) != len(want) {
				s.Fatalf("from record %d: %d frames, want %d", from, len(got), len(want))
			}
			for i := range got {
				if got[i].Position != want[i].Seen.Position || string(got[i].Data) != string(want[i].Frame) {
					s.Fatalf("from record %d: frame %d at %d differs", from, i, got[i].Position)
				}
			}
		}
	}
	check()
	s.reopen()
	check()
	for range s.store.Records(context.Background(), 0) {
		break // a reader may leave
	}
}

// testRecordsDuringCommit commits while a reader stands in the journal: the reader neither holds
// the commit up nor sees it.
func testRecordsDuringCommit(s *suite) {
	for range 3 {
		s.commit(s.build.Batch(1, nil))
	}
	read := uint64(0)
	for f, err := range s.store.Records(context.Background(), 0) {
		s.must(err)
		if f.Position != read || read >= 3 {
			s.Fatalf("frame at %d after %d", f.Position, read)
		}
		read++
		s.commit(s.build.Batch(1, nil))
	}
	if head := s.head(); read != 3 || head.Position != 6 {
		s.Fatalf("%d frames read, head %+v", read, head)
	}
}
