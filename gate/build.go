package gate

import (
	"fmt"
	"io"
	"slices"

	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// build checks each entry against the epoch, stages what remains and makes the store's batch of
// it. Rights taken away count from here on, in memory, before they are durable: an operation
// later in the same batch meets them. undo takes that back if nothing was written. A nil batch
// says that no entry is left.
func (s *sequencer) build(taken []*entry) (b *store.Batch, undo func(), err error) {
	live := s.live(taken)
	if len(live) == 0 {
		return nil, nil, nil
	}
	now := s.applied.get()
	st := staging{
		s: s, next: now, stops: s.view.stops.position(),
		batch: &store.Batch{Restricting: true, Seen: store.Head{Epoch: now, Position: s.head.Position, Chain: s.head.Chain}},
	}
	if slices.ContainsFunc(live, (*entry).touches) {
		st.next.N++
	}
	s.staged = s.access
	s.builder.Reset()
	if err := s.tellUnanswered(); err != nil {
		return nil, nil, err
	}
	for op, e := range live {
		if err := st.add(op, e); err != nil {
			st.undo()
			e.refuse(err)
			return s.build(taken) // with the record of its failure instead
		}
	}
	b, err = st.finish()
	return b, st.undo, err
}

// tellUnanswered adds, before anything else, the record of how many operations the store did not
// take since it last took any: nothing else tells of them.
func (s *sequencer) tellUnanswered() error {
	if s.unanswered == 0 {
		return nil
	}
	now := s.view.time.Now()
	id, err := NewID(now, s.random)
	if err != nil {
		return err
	}
	record, err := journal.AppendRecord(nil, &journal.Record{
		Operation: Unanswered.Number, Outcome: journal.Failed, Error: uint16(Unavailable), Flags: journal.System,
		Time: now.UnixNano(), Request: id, Parameters: fmt.Sprintf("count=%d", s.unanswered),
	})
	if err != nil {
		return &Error{Code: Internal, cause: err}
	}
	s.builder.Add(record, nil)
	return nil
}

// live returns the entries that are still to be made durable, marking those that must run again.
// An entry counts the changes of those before it in the same batch, so that of two operations that
// change one thing the second runs again.
func (s *sequencer) live(taken []*entry) []*entry {
	live := make([]*entry, 0, len(taken))
	changed := map[print]bool{}
	for _, e := range taken {
		if e.moved || e.err != nil {
			continue
		}
		if s.stale(e) || e.reads(changed) {
			e.moved = true
			continue
		}
		live = append(live, e)
		if e.changes() {
			e.eachTouched(func(ref store.Ref) { changed[s.view.recent.print(ref)] = true })
		}
	}
	return live
}

// reads tells whether the entry used any of what was changed.
func (e *entry) reads(changed map[print]bool) bool {
	if e.reading == nil || len(changed) == 0 {
		return false
	}
	return slices.ContainsFunc(e.reading.prints, func(p print) bool { return changed[p] })
}

// touches tells whether the entry moves the epoch.
func (e *entry) touches() bool {
	touched := false
	if e.changes() {
		e.eachTouched(func(store.Ref) { touched = true })
	}
	return touched
}

// eachTouched calls f with what the entry's changes touch: what alters or deletes an item, and
// what inserts an access item or a stop, touches it; other inserts and housekeeping do not.
func (e *entry) eachTouched(f func(store.Ref)) {
	for i := range e.outcome.Changes {
		c := &e.outcome.Changes[i]
		if isHousekeeping(c.Ref.Kind) || c.Before == nil && !decides(c.Ref.Kind) {
			continue
		}
		if c.Before == nil && fault.Mutant("inserted-deny-does-not-bump") {
			continue
		}
		f(c.Ref)
		for _, ref := range c.Also {
			f(ref)
		}
	}
	for i := range e.outcome.Stops {
		f(e.outcome.Stops[i].Ref)
	}
}

// isHousekeeping tells which kinds nobody decides anything by: altering them makes no operation run
// again.
func isHousekeeping(k store.Kind) bool { return k == store.KindIdempotency || k == store.KindUsage }

// stale tells whether something the entry used was touched since it was read. It is asked always,
// whether or not the epoch moved while the batch collected: an operation may have joined after
// the batch that moved it.
func (s *sequencer) stale(e *entry) bool {
	if e.reading == nil {
		return false
	}
	if fault.Mutant("recheck-only-when-moved") {
		return s.head.Epoch != s.applied.get() && s.view.recent.stale(e.reading)
	}
	return s.view.recent.stale(e.reading)
}

// staging is one batch in the making.
type staging struct {
	s     *sequencer
	batch *store.Batch
	next  store.Epoch // the epoch that the commit leads to
	stops stopPosition
	undos []func()
}

// add stages one entry as operation number op.
func (st *staging) add(op int, e *entry) *Error {
	st.batch.Restricting = st.batch.Restricting && e.restrict
	if !e.changes() {
		st.s.builder.Add(e.encoded, e.personal)
		return nil
	}
	e.record.Changes = e.record.Changes[:0]
	for i := range e.outcome.Changes {
		st.change(op, e, &e.outcome.Changes[i])
	}
	for i := range e.outcome.Stops {
		st.stop(op, e, &e.outcome.Stops[i])
	}
	encoded, err := journal.AppendRecord(st.s.scratch[:0], e.record)
	if err != nil {
		return &Error{Code: LimitExceeded, Detail: "the operation changes more than one record can tell", cause: err}
	}
	st.s.scratch = encoded
	st.s.builder.Add(encoded, e.personal)
	e.eachTouched(func(ref store.Ref) {
		st.batch.Touched = append(st.batch.Touched, ref)
		if !fault.Mutant("changes-not-staged-in-memory") {
			st.undos = append(st.undos, st.s.view.touch(ref, st.next.N))
		}
	})
	for i := range e.outcome.Stops {
		if stop := &e.outcome.Stops[i]; !stop.Lift {
			undo := st.s.view.stops.apply(stop)
			if !fault.Mutant("failed-stop-stands") {
				st.undos = append(st.undos, undo)
			}
		}
	}
	return nil
}

// refuse makes of an entry with changes that one record cannot tell of the record of its failure.
func (e *entry) refuse(err *Error) {
	r := *e.record
	r.Outcome, r.Error, r.Changes = journal.Failed, uint16(err.Code), nil
	e.record, e.outcome = nil, nil
	if cause := e.encode(&r); cause != nil {
		e.err = &Error{Code: Internal, Detail: err.Detail, cause: cause}
		return
	}
	e.refused = err
}

// change turns a staged change into the store's.
func (st *staging) change(op int, e *entry, c *Change) {
	item := store.Item{Ref: c.Ref, Revision: 1, Index: c.Index, Due: c.Due, Body: c.Body, Epoch: st.next}
	change := store.Change{Op: op, Delete: c.Delete}
	if c.Before != nil {
		item.Revision = c.Before.Revision + 1
		change.Expected = c.Before.Revision
	}
	if c.Delete {
		item = store.Item{Ref: c.Ref, Revision: item.Revision, Epoch: st.next}
	}
	item.MAC = st.s.view.itemMAC(&item)
	change.Item = item
	st.append(e, change)
	if decides(c.Ref.Kind) {
		if c.Before != nil {
			st.s.staged.remove(&c.Before.MAC, st.s.view.mac)
		}
		if !c.Delete {
			st.s.staged.add(&item.MAC, st.s.view.mac)
		}
	}
}

func (st *staging) append(e *entry, change store.Change) {
	st.batch.Changes = append(st.batch.Changes, change)
	noted := journal.ItemChange{
		Kind: uint8(change.Item.Kind), ID: change.Item.ID, Revision: change.Item.Revision, Deleted: change.Delete,
	}
	copy(noted.MAC[:], change.Item.MAC[:])
	e.record.Changes = append(e.record.Changes, noted)
}

// stop stages the next entry of the stops chain.
func (st *staging) stop(op int, e *entry, stop *Stop) {
	item, head := stopItem(st.s.view.mac, st.stops.head, st.stops.count, stop)
	item.Epoch = st.next
	item.MAC = st.s.view.itemMAC(&item)
	st.stops = stopPosition{count: st.stops.count + 1, head: head}
	st.append(e, store.Change{Op: op, Item: item})
}

func (st *staging) undo() {
	for i := len(st.undos) - 1; i >= 0; i-- {
		st.undos[i]()
	}
}

// finish encodes the frame.
func (st *staging) finish() (*store.Batch, error) {
	s, b := st.s, st.batch
	if _, err := io.ReadFull(s.random, b.ID[:]); err != nil {
		st.undo()
		return nil, &Error{Code: Internal, Detail: "no randomness", cause: err}
	}
	h := journal.Header{
		Changes: len(b.Changes) > 0, Position: b.Seen.Position, Time: s.view.time.Now().UnixNano(),
		Incarnation: st.next.Incarnation, Epoch: st.next.N, Batch: b.ID, Before: b.Seen.Chain,
	}
	h.Guard = s.guard(&h, st.stops)
	frame, err := s.builder.AppendFrame(s.frame[:0], &h)
	if err != nil {
		st.undo()
		return nil, &Error{Code: Internal, Detail: "a batch could not be written", cause: err}
	}
	s.frame = frame
	b.Frame = frame
	b.Next = store.Head{Epoch: st.next, Position: b.Seen.Position + uint64(s.builder.Count()), Chain: h.After}
	s.stops = st.stops
	return b, nil
}
