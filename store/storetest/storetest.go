// Package storetest is the conformance suite of the Store port. It is the whole test of every
// implementation: what passes it may be put under the gate, and nothing above can tell.
//
// It also holds what tests of the layers above need of a store: [Builder] makes real batches,
// [Faulty] makes a store fail at a chosen place.
//
// A store's own test is one call:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Harness {
//			dir := t.TempDir()
//			return storetest.Harness{Open: func() (store.Store, error) { return mystore.Open(dir) }}
//		})
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Harness opens one store. The suite closes what it opened before it opens again.
type Harness struct {
	// Open opens the store: the first time on nothing, later on what Close left.
	Open func() (store.Store, error)
}

// Run runs the suite. It calls newHarness once for every test and every example of a property;
// each harness is a place of its own.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"empty store", testEmpty},
		{"commit", testCommit},
		{"commit is atomic", testAtomic},
		{"conflict", testConflict},
		{"one item changed twice in a batch", testContended},
		{"moved", testMoved},
		{"repeat", testRepeat},
		{"batch belongs to the caller", testOwnership},
		{"exact bytes", testExactBytes},
		{"limits of a batch", testBatchLimits},
		{"limits of a question", testQueryLimits},
		{"get", testGet},
		{"list by id", testListByID},
		{"list by index", testListByIndex},
		{"pages", testPages},
		{"due", testDue},
		{"epochs", testEpochs},
		{"records", testRecords},
		{"records up to the call", testRecordsDuringCommit},
		{"reopen", testReopen},
		{"cancelled", testCancelled},
		{"snapshots", testSnapshots},
		{"faults", testFaults},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, newHarness(t))
			defer s.close()
			test.run(s)
		})
	}
	t.Run("model", func(t *testing.T) { testModel(t, newHarness) })
}

// reporter is what the suite needs of a test, or of an example of a property.
type reporter interface {
	Helper()
	Error(args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// suite is one open store under test and the builder that follows it.
type suite struct {
	reporter
	harness Harness
	store   store.Store
	build   *Builder
}

func open(r reporter, h Harness) *suite {
	r.Helper()
	s := &suite{reporter: r, harness: h}
	s.open()
	s.build = NewBuilder(s.head())
	return s
}

func (s *suite) close() {
	s.Helper()
	if s.store != nil {
		s.must(s.store.Close())
	}
}

func (s *suite) open() {
	s.Helper()
	opened, err := s.harness.Open()
	s.must(err)
	s.store = opened
}

// reopen closes the store and opens it again.
func (s *suite) reopen() {
	s.Helper()
	closing := s.store
	s.store = nil
	s.must(closing.Close())
	s.open()
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// commit commits the batch and lets the builder go on after it.
func (s *suite) commit(b *store.Batch) {
	s.Helper()
	if err := s.store.Commit(context.Background(), b); err != nil {
		s.Fatalf("Commit: %v", err)
	}
	s.build.Done(b)
}

// refused commits the batch, which must fail with target and write nothing.
func (s *suite) refused(b *store.Batch, target error) {
	s.Helper()
	before := s.picture()
	if err := s.store.Commit(context.Background(), b); !errors.Is(err, target) {
		s.Fatalf("Commit: got %v, want %v", err, target)
	}
	s.same(before)
}

// conflicts commits the batch, which must meet a conflict of these operations and write nothing.
func (s *suite) conflicts(b *store.Batch, ops ...int) {
	s.Helper()
	before := s.picture()
	err := s.store.Commit(context.Background(), b)
	var conflict *store.Conflict
	if !errors.As(err, &conflict) || !slices.Equal(conflict.Ops, ops) {
		s.Fatalf("Commit: got %v, want a conflict of operations %v", err, ops)
	}
	s.same(before)
}

func (s *suite) head() store.Head {
	s.Helper()
	head, err := s.store.Head(context.Background())
	s.must(err)
	return head
}

func (s *suite) get(refs ...store.Ref) []store.Item {
	s.Helper()
	items, _, err := s.store.Get(context.Background(), refs...)
	s.must(err)
	if len(items) != len(refs) {
		s.Fatalf("Get of %d items returned %d", len(refs), len(items))
	}
	return items
}

func (s *suite) list(q store.Query) store.Page {
	s.Helper()
	page, err := s.store.List(context.Background(), q)
	s.must(err)
	return page
}

// frames reads the journal from a record on and copies what it yields.
func (s *suite) frames(from uint64) []store.Frame {
	s.Helper()
	var out []store.Frame
	for f, err := range s.store.Records(context.Background(), from) {
		s.must(err)
		out = append(out, store.Frame{Position: f.Position, Data: slices.Clone(f.Data)})
	}
	return out
}

// picture is all that a store shows, in words, to compare before and after.
func (s *suite) picture() string {
	s.Helper()
	out := fmt.Sprintf("head %+v\n", s.head())
	for kind := store.KindKey; kind <= store.KindSetting; kind++ {
		for q := (store.Query{Kind: kind, Limit: store.MaxPage}); ; {
			page := s.list(q)
			for _, it := range page.Items {
				out += describe(it) + "\n"
				q.After = it.ID
			}
			if !page.More {
				break
			}
		}
	}
	for _, f := range s.frames(0) {
		frame, err := journal.DecodeFrame(f.Data)
		s.must(err)
		out += fmt.Sprintf("frame at %d: %x\n", f.Position, frame.After)
	}
	return out
}

func (s *suite) same(before string) {
	s.Helper()
	if after := s.picture(); after != before {
		s.Fatalf("the store changed:\n%s\nbefore:\n%s", after, before)
	}
}

// describe is an item in words, whole.
func describe(it store.Item) string {
	return fmt.Sprintf("%s rev %d index %q due %d epoch %v mac %x body %x",
		it.Ref, it.Revision, it.Index, it.Due, it.Epoch, it.MAC, it.Body)
}

func (s *suite) sameItem(got, want store.Item) {
	s.Helper()
	if g, w := describe(got), describe(want); g != w {
		s.Fatalf("got  %s\nwant %s", g, w)
	}
}
