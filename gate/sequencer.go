package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// entry is one operation's place in a batch: its record, what it read, what it changes.
type entry struct {
	reading *Reading // nil: nothing that could have changed matters (a refusal)
	// encoded is the record of an operation without changes; record that of one with changes,
	// which can be encoded only when revisions, epoch and MACs are known.
	encoded  []byte
	record   *journal.Record
	room     [320]byte // for an ordinary record, without an allocation
	personal []journal.PersonalValue
	outcome  *Outcome
	restrict bool
	// lost, if not nil, is called when it is known not to have become durable, or not known to.
	lost func()

	// Written by the sequencer before the batch's done is closed. A refused entry has a record, of
	// its failure; one with an err has none.
	moved        bool
	refused, err error
}

// answer is what the sequencer has to say to who waits for the entry.
func (e *entry) answer() error {
	switch {
	case e.err != nil:
		return e.err
	case e.moved:
		return errMoved
	}
	return e.refused
}

func (e *entry) changes() bool { return e.outcome != nil }

// encode encodes the record of an operation without changes.
func (e *entry) encode(r *journal.Record) (err error) {
	e.encoded, err = journal.AppendRecord(e.room[:0], r)
	return err
}

// batch collects entries until the sequencer closes it.
type batch struct {
	entries []*entry
	done    chan struct{}
}

// sequencer is the one committer of a node. While a batch is being made durable the next one
// collects; there is no timer.
type sequencer struct {
	view   *View
	store  store.Store
	random io.Reader
	stats  *Stats
	failed func(error) // the storage failed: the process must stop
	stall  stall
	// unrecorded are calls that no record tells of yet, because the store kept them from joining
	// a batch.
	unrecorded atomic.Uint64

	mu     sync.Mutex
	open   *batch
	urgent *batch // restricting operations, taken first
	closed bool
	wake   chan struct{}
	ended  chan struct{}

	// The rest belongs to the sequencing goroutine.
	head    store.Head
	applied appliedEpoch
	// access is the hash of the set of access items, staged what it will be after the batch in
	// the making.
	access, staged setHash
	stops          stopPosition // of the chain after the batch in the making
	unanswered     uint64       // operations that the store did not take since it last took any
	pending        *store.Batch // of unknown outcome; settled before anything else
	// told is how many of the unanswered the pending batch tells of, or holds the records of.
	told    uint64
	builder journal.Builder
	frame   []byte
	scratch []byte
}

// appliedEpoch is read by every operation and written by the sequencer.
type appliedEpoch struct {
	mu sync.RWMutex
	e  store.Epoch
}

func (a *appliedEpoch) get() store.Epoch {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.e
}

func (a *appliedEpoch) set(e store.Epoch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.e = e
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// join puts entries into the open batch and returns it; nil when the gate is closed.
func (s *sequencer) join(urgent bool, entries ...*entry) *batch {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	into := s.open
	if urgent {
		into = s.urgent
	}
	into.entries = append(into.entries, entries...)
	first := len(s.open.entries)+len(s.urgent.entries) == len(entries)
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return into
}

// run sequences until close.
func (s *sequencer) run() {
	defer close(s.ended)
	for {
		s.mu.Lock()
		b := s.urgent
		if len(b.entries) > 0 {
			s.urgent = newBatch()
		} else if b = s.open; len(b.entries) > 0 {
			s.open = newBatch()
		} else if s.closed {
			s.mu.Unlock()
			return
		} else {
			s.mu.Unlock()
			<-s.wake
			continue
		}
		s.mu.Unlock()
		s.sequence(b)
		close(b.done)
	}
}

// close lets what has joined finish, and takes nothing more.
func (s *sequencer) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	<-s.ended
}

// sequence makes a closed batch durable, in as many commits as its size and the store's limits
// need.
func (s *sequencer) sequence(b *batch) {
	ctx := context.Background() // a commit is never interrupted half-way
	rest := b.entries
	defer s.stall.end()
	for len(rest) > 0 {
		s.stall.begin()
		n, err := 0, s.learn(ctx)
		if err == nil {
			s.unanswered += s.unrecorded.Swap(0)
			n, err = s.commit(ctx, rest)
		}
		if err != nil {
			for _, e := range rest {
				e.err = err
				if e.lost != nil {
					e.lost()
				}
			}
			s.stats.refused.Add(uint64(len(rest)))
			s.unanswered += uint64(len(rest))
			return
		}
		rest = rest[n:]
	}
}

// learn brings what this node has applied up to the store's head, by a read that begins after the
// batch was closed: whatever returned before an operation of the batch was invoked is seen.
func (s *sequencer) learn(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if fault.Mutant("epoch-read-before-close") {
		return nil
	}
	head, err := s.store.Head(ctx)
	if err != nil {
		return s.broken(err)
	}
	applied := s.applied.get()
	if head.Epoch == applied {
		s.head = head
		return nil
	}
	if head.Epoch.Incarnation != applied.Incarnation || head.Epoch.N < applied.N {
		// What was read and decided until now belongs to a history that is no longer the store's.
		return &Error{Code: Tampered, Detail: "the store is not the one that this process opened: it was restored or rolled back; start the server again",
			cause: fmt.Errorf("%w: epoch %v after %v", store.ErrCorrupt, head.Epoch, applied)}
	}
	moved, err := s.store.Changes(ctx, applied)
	switch {
	case errors.Is(err, store.ErrTooOld):
		s.view.forget(head.Epoch.N)
	case err != nil:
		return s.broken(err)
	}
	for _, m := range moved {
		for _, ref := range m.Touched {
			s.view.touch(ref, m.Epoch.N)
		}
	}
	s.head = head
	s.applied.set(head.Epoch)
	return nil
}

// commit makes a prefix of entries durable and returns its length. Entries that must run again
// or cannot be written are answered within it.
func (s *sequencer) commit(ctx context.Context, entries []*entry) (int, error) {
	n := s.cut(entries)
	taken := entries[:n]
	for {
		b, undo, err := s.build(taken)
		if err != nil {
			return 0, err
		}
		if b == nil { // nothing left of it
			return n, nil
		}
		err = s.write(ctx, b)
		var conflict *store.Conflict
		if errors.As(err, &conflict) {
			undo()
			s.conflicted(taken, conflict)
			continue
		}
		if err != nil {
			if s.pending == nil { // known not to be written
				undo()
			} else {
				s.told = s.unanswered + s.operations(b)
			}
			s.view.forget(s.applied.get().N)
			return 0, err
		}
		s.durable(b, taken)
		return n, nil
	}
}

// cut returns how many entries one frame and one store batch can carry.
func (s *sequencer) cut(entries []*entry) int {
	changing, size := 0, 0
	limit := s.store.Limits().MaxChanging
	for i, e := range entries {
		if e.changes() {
			changing++
			size += journal.MaxRecord
		}
		size += len(e.encoded) + len(e.personal)*(journal.MaxPersonal+32)
		if i > 0 && (changing > limit || size > maxBatch || i >= journal.MaxRecords-1) {
			return i
		}
	}
	return len(entries)
}

// maxBatch is how large a frame is let grow, so that one commit delays the next by little.
const maxBatch = 4 << 20

// write commits with a few repetitions where the outcome is unknown.
func (s *sequencer) write(ctx context.Context, b *store.Batch) error {
	s.pending = b
	var err error
	uncertain := false
	for range 3 {
		err = s.store.Commit(ctx, b)
		if !errors.Is(err, store.ErrUncertain) {
			break
		}
		uncertain = !fault.Mutant("uncertain-counts-as-unwritten")
	}
	var conflict *store.Conflict
	told := err == nil || errors.As(err, &conflict)
	// Only these tell of an earlier try, too: what a store did not do now it may have done before.
	if told || !uncertain || errors.Is(err, store.ErrMoved) {
		s.pending = nil
	}
	if told {
		return err
	}
	return s.broken(err)
}

// settle finds out what became of a batch whose outcome was unknown, before anything else is
// committed, by its place in the journal. Whoever read meanwhile may have met what was staged and
// never written: it runs again.
func (s *sequencer) settle(ctx context.Context) error {
	b := s.pending
	if b == nil {
		return nil
	}
	head, err := s.store.Head(ctx)
	if err != nil {
		return s.broken(err)
	}
	written := head.Chain == b.Next.Chain && head.Position == b.Next.Position
	s.pending = nil
	fresh, err := loadStops(ctx, s.view)
	if err != nil {
		s.pending = b
		return s.broken(err)
	}
	s.view.stops.replace(fresh)
	s.view.forget(head.Epoch.N)
	if written {
		s.access = s.staged
		s.unanswered -= s.told
		s.count(b)
	}
	return nil
}

// operations returns how many operations a batch has the records of: all but the record that tells
// of those that were not answered.
func (s *sequencer) operations(b *store.Batch) uint64 {
	n := b.Next.Position - b.Seen.Position
	if s.unanswered > 0 {
		n--
	}
	return n
}

// count counts a batch that became durable.
func (s *sequencer) count(b *store.Batch) {
	s.stats.batches.Add(1)
	s.stats.records.Add(b.Next.Position - b.Seen.Position)
}

// durable releases what a written batch holds back: rights given, the head, the epoch.
func (s *sequencer) durable(b *store.Batch, taken []*entry) {
	s.head = b.Next
	s.access = s.staged
	s.view.stops.advance(s.stops)
	for _, e := range taken {
		if e.moved || e.err != nil || !e.changes() {
			continue
		}
		for i := range e.outcome.Stops {
			if e.outcome.Stops[i].Lift {
				s.view.stops.apply(&e.outcome.Stops[i])
			}
		}
	}
	s.applied.set(b.Next.Epoch)
	s.unanswered = 0 // the batch tells of them: see build
	s.count(b)
}

// conflicted marks the operations that met another revision: they run again.
func (s *sequencer) conflicted(taken []*entry, c *store.Conflict) {
	live := 0
	for _, e := range taken {
		if e.moved || e.err != nil {
			continue
		}
		for _, op := range c.Ops {
			if op == live {
				e.moved = true
			}
		}
		live++
	}
}

// broken tells of a storage that failed and returns the error to answer.
func (s *sequencer) broken(err error) error {
	e := asError(err)
	if errors.Is(e.cause, store.ErrFailed) && s.failed != nil {
		s.failed(e.cause)
	}
	return e
}

// refuse counts a call that the store kept from leaving a record.
func (s *sequencer) refuse() {
	s.stats.refused.Add(1)
	s.unrecorded.Add(1)
}
