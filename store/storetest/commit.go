package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

func key(id string) store.Ref { return store.Ref{Kind: store.KindKey, ID: id} }

func testEmpty(s *suite) {
	head := s.head()
	if head.Position != 0 || head.Chain != ([32]byte{}) || head.Epoch.N != 0 {
		s.Fatalf("head of an empty store: %+v", head)
	}
	if got := s.frames(0); len(got) != 0 {
		s.Fatalf("%d frames in an empty store", len(got))
	}
	if page := s.list(store.Query{Kind: store.KindKey, Limit: 1}); len(page.Items) != 0 || page.More || page.Epoch != head.Epoch {
		s.Fatalf("page of an empty store: %+v", page)
	}
	if limits := s.store.Limits(); limits.MaxChanging < 1 || limits.LowSpace {
		s.Fatalf("limits: %+v", limits)
	}
}

func testCommit(s *suite) {
	first := s.head()
	uses := s.build.Batch(3, nil)
	s.commit(uses)
	if got := s.head(); got != uses.Next || got.Position != 3 || got.Epoch != first.Epoch {
		s.Fatalf("head %+v after a batch that leads to %+v", got, uses.Next)
	}
	it := Item(store.KindKey, "a", "body")
	it.Index[2], it.Due = "x", 17
	insert := s.build.Batch(1, []store.Change{Put(0, 0, it)})
	s.commit(insert)
	s.sameItem(s.get(it.Ref)[0], insert.Changes[0].Item)

	it.Body = []byte("body two")
	replace := s.build.Batch(1, []store.Change{Put(0, 1, it)}, it.Ref)
	s.commit(replace)
	got := s.get(it.Ref)[0]
	s.sameItem(got, replace.Changes[0].Item)
	if got.Revision != 2 || got.Epoch.N != first.Epoch.N+1 {
		s.Fatalf("second revision: %s", describe(got))
	}

	s.commit(s.build.Batch(1, []store.Change{Delete(0, 2, it.Ref)}, it.Ref))
	if got := s.get(it.Ref)[0]; got.Revision != 0 {
		s.Fatalf("deleted, still there: %s", describe(got))
	}
	again := s.build.Batch(1, []store.Change{Put(0, 0, it)})
	s.commit(again)
	s.sameItem(s.get(it.Ref)[0], again.Changes[0].Item)
}

func testAtomic(s *suite) {
	s.commit(s.build.Batch(1, []store.Change{Put(0, 0, Item(store.KindKey, "a", "1"))}))
	// All that could be written is in one operation with what cannot.
	s.conflicts(s.build.Batch(2, []store.Change{
		Put(0, 1, Item(store.KindKey, "a", "2")),
		Put(0, 0, Item(store.KindVersion, "new", "v")),
		Put(0, 7, Item(store.KindAlias, "missing", "x")),
	}, key("a")), 0)
	moved, err := s.store.Changes(context.Background(), s.head().Epoch)
	s.must(err)
	if len(moved) != 0 {
		s.Fatalf("a refused batch moved the epoch: %v", moved)
	}
}

func testConflict(s *suite) {
	if s.store.Limits().MaxChanging < 6 {
		testOneConflict(s)
		return
	}
	s.commit(s.build.Batch(1, []store.Change{
		Put(0, 0, Item(store.KindKey, "a", "1")), Put(0, 0, Item(store.KindKey, "b", "1")),
	}))
	s.conflicts(s.build.Batch(9, []store.Change{
		Put(8, 2, Item(store.KindKey, "a", "from the future")),
		Put(1, 1, Item(store.KindKey, "b", "right")),
		Put(6, 0, Item(store.KindKey, "new", "right")),
		Delete(3, 1, key("missing")),
		Delete(3, 4, key("missing too")),
		Put(4, 1, Item(store.KindKey, "missing three", "")),
	}, key("a"), key("b")), 3, 4, 8)
	// Without them it passes, under another id.
	s.commit(s.build.Batch(6, []store.Change{
		Put(1, 1, Item(store.KindKey, "b", "right")),
		Put(6, 0, Item(store.KindKey, "new", "right")),
	}, key("b")))
	testOneConflict(s)
}

func testOneConflict(s *suite) {
	it := Item(store.KindSetting, "one", "1")
	s.commit(s.build.Batch(1, []store.Change{Put(0, 0, it)}))
	s.conflicts(s.build.Batch(1, []store.Change{Put(0, 0, it)}), 0)                      // exists
	s.conflicts(s.build.Batch(3, []store.Change{Put(2, 2, it)}), 2)                      // ahead
	s.conflicts(s.build.Batch(1, []store.Change{Delete(0, 2, it.Ref)}), 0)               // ahead
	s.conflicts(s.build.Batch(1, []store.Change{Delete(0, 1, key("one"))}), 0)           // another kind
	s.conflicts(s.build.Batch(1, []store.Change{Put(0, 1, Item(it.Kind, "on", ""))}), 0) // another id
	s.commit(s.build.Batch(1, []store.Change{Put(0, 1, it)}, it.Ref))
	s.conflicts(s.build.Batch(1, []store.Change{Put(0, 1, it)}, it.Ref), 0) // behind
}

func testContended(s *suite) {
	if s.store.Limits().MaxChanging < 2 {
		return // the sequencer never offers it such a batch
	}
	it := Item(store.KindKey, "a", "1")
	s.conflicts(s.build.Batch(2, []store.Change{Put(0, 0, it), Put(1, 0, it)}), 1)
	s.commit(s.build.Batch(1, []store.Change{Put(0, 0, it)}))
	s.conflicts(s.build.Batch(2, []store.Change{Put(0, 1, it), Put(1, 1, it)}, it.Ref), 1)
	s.conflicts(s.build.Batch(2, []store.Change{Delete(0, 1, it.Ref), Put(1, 1, it)}, it.Ref), 1)
	s.conflicts(s.build.Batch(2, []store.Change{Delete(0, 1, it.Ref), Put(1, 2, it)}, it.Ref), 1)
}

func testMoved(s *suite) {
	it := Item(store.KindKey, "a", "1")
	s.commit(s.build.Batch(1, []store.Change{Put(0, 0, it)}, it.Ref))
	for _, forget := range []func(*store.Head){
		func(h *store.Head) { h.Position--; h.Chain[0]++ },
		func(h *store.Head) { h.Position++ },
		func(h *store.Head) { h.Chain[31] ^= 1 },
		func(h *store.Head) { h.Epoch.N-- },
		func(h *store.Head) { h.Epoch.N++ },
		func(h *store.Head) { h.Epoch.Incarnation++ },
	} {
		other := *s.build
		forget(&other.Head)
		s.refused(other.Batch(1, nil), store.ErrMoved)
		s.refused(other.Batch(1, []store.Change{Put(0, 1, it)}, it.Ref), store.ErrMoved)
		// That it moved is told before any conflict: those are found anew.
		s.refused(other.Batch(1, []store.Change{Put(0, 0, it)}), store.ErrMoved)
	}
}

func testRepeat(s *suite) {
	it := Item(store.KindKey, "a", "1")
	first := s.build.Batch(2, []store.Change{Put(0, 0, it)}, it.Ref)
	s.commit(first)
	again := func(b *store.Batch) {
		s.Helper()
		before := s.picture()
		for range 2 {
			if err := s.store.Commit(context.Background(), b); err != nil {
				s.Fatalf("the same batch again: %v", err)
			}
		}
		s.same(before)
	}
	again(first)
	s.reopen()
	again(first)
	second := s.build.Batch(1, nil)
	s.commit(second)
	again(second)
	s.reopen()
	again(second)
	s.refused(first, store.ErrMoved) // no longer the last

	// What was refused was never durable; its id means nothing.
	refused := s.build.Batch(1, []store.Change{Put(0, 0, it)})
	s.conflicts(refused, 0)
	s.conflicts(refused, 0)
	again(second)
}

func testOwnership(s *suite) {
	body, frame := []byte("body"), []byte(nil)
	it := store.Item{Ref: key("a"), Body: body}
	b := s.build.Batch(1, []store.Change{Put(0, 0, it)}, it.Ref)
	frame = b.Frame
	s.commit(b)
	before := s.picture()
	clear(body)
	clear(frame)
	b.Changes[0].Item.Index[0] = "scribble"
	b.Touched[0].ID = "scribble"
	s.same(before)
	moved, err := s.store.Changes(context.Background(), b.Seen.Epoch)
	s.must(err)
	if len(moved) != 1 || len(moved[0].Touched) != 1 || moved[0].Touched[0] != key("a") {
		s.Fatalf("touched: %v", moved)
	}
	// And what is read belongs to the reader.
	clear(s.get(key("a"))[0].Body)
	clear(s.list(store.Query{Kind: store.KindKey, Limit: 1}).Items[0].Body)
	s.same(before)
}

func testExactBytes(s *suite) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	var items []store.Item
	for i, body := range []string{"", "\x00", "\x00\x00\xff", "é", "e\u0301", string(all), "' OR 1 --", "\xff\xfe"} {
		it := Item(store.KindSetting, string(all[i:i+1])+body[:min(len(body), store.MaxID-1)], body)
		it.Index = [store.MaxIndexes]string{body, "\x00" + body, body + "\x00", "\xff"}
		it.Due = []int64{0, 1, -1, 1 << 62, -1 << 63, 1<<63 - 1, 7, 8}[i]
		for j := range it.MAC {
			it.MAC[j] = byte(i + j + 1)
		}
		items = append(items, it)
	}
	items = append(items, Item(store.KindSetting, strings.Repeat("\xfe", store.MaxID), strings.Repeat("\xfd", store.MaxBody)))
	var refs []store.Ref
	var written []store.Item
	for _, it := range items {
		b := s.build.Batch(1, []store.Change{Put(0, 0, it)})
		s.commit(b)
		refs, written = append(refs, it.Ref), append(written, b.Changes[0].Item)
	}
	check := func() {
		s.Helper()
		for i, got := range s.get(refs...) {
			s.sameItem(got, written[i])
		}
	}
	check()
	s.reopen()
	check()
}

func testBatchLimits(s *suite) {
	long := func(n int) string { return strings.Repeat("x", n) }
	one := func(it store.Item, expected uint64) *store.Batch {
		return s.build.Batch(1, []store.Change{Put(0, expected, it)})
	}
	touch := func(ref store.Ref) *store.Batch { return s.build.Batch(1, nil, ref) }
	broken := func(b *store.Batch, spoil func(*store.Batch)) *store.Batch { spoil(b); return b }
	indexed := Item(store.KindKey, "a", "")
	indexed.Index[3] = long(store.MaxIndex + 1)
	fine := Item(store.KindKey, "a", "")
	for name, b := range map[string]*store.Batch{
		"no id":               one(Item(store.KindKey, "", ""), 0),
		"id too long":         one(Item(store.KindKey, long(store.MaxID+1), ""), 0),
		"no kind":             one(Item(0, "a", ""), 0),
		"body too long":       one(Item(store.KindKey, "a", long(store.MaxBody+1)), 0),
		"index too long":      one(indexed, 0),
		"touched without id":  touch(key("")),
		"touched id too long": touch(key(long(store.MaxID + 1))),
		"no frame":            broken(one(fine, 0), func(b *store.Batch) { b.Frame = nil }),
		"frame too long":      broken(one(fine, 0), func(b *store.Batch) { b.Frame = make([]byte, store.MaxFrame+1) }),
		"no record":           broken(one(fine, 0), func(b *store.Batch) { b.Next.Position = b.Seen.Position }),
		"revision skipped":    broken(one(fine, 0), func(b *store.Batch) { b.Changes[0].Item.Revision++ }),
		"another epoch":       broken(one(fine, 0), func(b *store.Batch) { b.Changes[0].Item.Epoch.N++ }),
		"negative operation":  broken(one(fine, 0), func(b *store.Batch) { b.Changes[0].Op = -1 }),
		"delete nothing":      s.build.Batch(1, []store.Change{Delete(0, 0, key("a"))}),
		"epoch stays":         broken(touch(key("a")), func(b *store.Batch) { b.Next.Epoch = b.Seen.Epoch }),
		"epoch jumps":         broken(touch(key("a")), func(b *store.Batch) { b.Next.Epoch.N++ }),
		"epoch moves alone":   broken(s.build.Batch(1, nil), func(b *store.Batch) { b.Next.Epoch.N++ }),
		"other incarnation":   broken(touch(key("a")), func(b *store.Batch) { b.Next.Epoch.Incarnation++ }),
	} {
		before := s.picture()
		if err := s.store.Commit(context.Background(), b); !errors.Is(err, store.ErrInvalid) {
			s.Fatalf("%s: got %v, want ErrInvalid", name, err)
		}
		s.same(before)
	}
	if n := s.store.Limits().MaxChanging; n < journal.MaxRecords {
		s.refused(s.build.Batch(1, inserts(n+1)), store.ErrInvalid)
		s.commit(s.build.Batch(1, inserts(n)))
	}
}

// inserts returns n operations that insert one item each.
func inserts(n int) []store.Change {
	changes := make([]store.Change, n)
	for i := range changes {
		changes[i] = Put(i, 0, Item(store.KindKey, string([]byte{1, byte(i >> 8), byte(i)}), ""))
	}
	return changes
}

func testReopen(s *suite) {
	for i := range 5 {
		it := Item(store.KindKey, string(rune('a'+i)), "1")
		s.commit(s.build.Batch(i, []store.Change{Put(0, 0, it)}))
		s.commit(s.build.Batch(1, []store.Change{Put(0, 1, it)}, it.Ref))
		s.commit(s.build.Batch(2, nil))
		before := s.picture()
		epoch := s.head().Epoch
		s.reopen()
		s.same(before)
		moved, err := s.store.Changes(context.Background(), store.Epoch{Incarnation: epoch.Incarnation})
		s.must(err)
		if len(moved) != int(epoch.N) {
			s.Fatalf("%d epochs known after reopening, want %d", len(moved), epoch.N)
		}
	}
}

// testCancelled: a context that has ended may stop a call, and then says that nothing was
// written, or that it is not known; it never makes a success of a failure.
func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := s.build.Batch(1, []store.Change{Put(0, 0, Item(store.KindKey, "a", "1"))})
	before := s.picture()
	err := s.store.Commit(ctx, b)
	switch {
	case err == nil:
	case errors.Is(err, store.ErrUncertain):
		s.must(s.store.Commit(context.Background(), b))
	case errors.Is(err, store.ErrUnavailable):
		s.same(before)
		s.must(s.store.Commit(context.Background(), b))
	default:
		s.Fatalf("Commit with an ended context: %v", err)
	}
	s.build.Done(b)
	if got := s.get(key("a"))[0]; !bytes.Equal(got.Body, []byte("1")) || got.Revision != 1 {
		s.Fatalf("after the commit: %s", describe(got))
	}
}

// testFaults commits a script with one fault at each place in turn; whoever follows the contract
// ends where a run without faults does.
func testFaults(s *suite) {
	script := []func() *store.Batch{
		func() *store.Batch { return s.build.Batch(2, nil) },
		func() *store.Batch { return s.build.Batch(1, []store.Change{Put(0, 0, Item(store.KindKey, "a", "1"))}) },
		func() *store.Batch {
			return s.build.Batch(1, []store.Change{Put(0, 1, Item(store.KindKey, "a", "2"))}, key("a"))
		},
		func() *store.Batch { return s.build.Batch(1, []store.Change{Delete(0, 2, key("a"))}, key("a")) },
	}
	for n := range script {
		for _, written := range []bool{false, true} {
			faulty := NewFaulty(s.store)
			faulty.FailCommit(2*n+1, written, store.ErrUncertain) // each batch is tried twice
			start := s.head()
			for i, next := range script {
				b := next()
				err := faulty.Commit(context.Background(), b)
				if (err != nil) != (i == n) || err != nil && !errors.Is(err, store.ErrUncertain) {
					s.Fatalf("commit %d with a fault at %d: %v", i, n, err)
				}
				if (s.head() == b.Next) != (err == nil || written) {
					s.Fatalf("commit %d with a fault at %d, written %v: head %+v", i, n, written, s.head())
				}
				s.must(faulty.Commit(context.Background(), b))
				s.build.Done(b)
			}
			end := s.head()
			if end.Position != start.Position+5 || end.Epoch.N != start.Epoch.N+2 || faulty.Commits() != 2*len(script) {
				s.Fatalf("from %+v to %+v in %d commits", start, end, faulty.Commits())
			}
			s.wholeJournal()
		}
	}
}
