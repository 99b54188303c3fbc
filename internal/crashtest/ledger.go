package crashtest

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store/embedded"
)

// ledger is what the journal holds, read from the stopped store and not through the server.
type ledger struct {
	records  uint64
	seen     map[gate.ID]*sighting      // by request
	compared int                        // calls of the history
	silent   map[uint16]int             // calls without an answer, by operation
	made     map[gate.ID]map[uint16]int // changes recorded as made, by key and operation
}

func newLedger() *ledger {
	return &ledger{seen: map[gate.ID]*sighting{}, silent: map[uint16]int{}, made: map[gate.ID]map[uint16]int{}}
}

// sighting is the record of one request, and the items of its batch.
type sighting struct {
	record  journal.Record
	found   bool // record is set
	claimed bool
	items   map[uint16]bool
}

type report func(rule, format string, args ...any)

// read reads the records that were not read yet.
func (l *ledger) read(ctx context.Context, folder string, violated report) error {
	fs, err := disk.Dir(folder)
	if err != nil {
		return err
	}
	s, err := embedded.Open(ctx, embedded.Config{FS: fs, Rand: rand.Reader})
	if err != nil {
		return err
	}
	for raw, err := range s.Records(ctx, l.records) {
		if err == nil {
			err = l.frame(raw.Data, violated)
		}
		if err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

func (l *ledger) frame(data []byte, violated report) error {
	f, err := journal.DecodeFrame(data)
	if err != nil {
		return err
	}
	for encoded, err := range f.Records() {
		if err != nil {
			return err
		}
		r, err := journal.DecodeRecord(encoded)
		if err != nil {
			return err
		}
		l.records++
		l.record(&r, violated)
	}
	return nil
}

// record takes one record. Those of what Haven or an operator began have no client.
func (l *ledger) record(r *journal.Record, violated report) {
	op := operation(r.Operation)
	if op == nil || op.Internal || r.Flags&journal.System != 0 {
		return
	}
	if op.Mutates && r.Outcome == journal.Allowed && r.Flags&journal.Replay == 0 {
		if l.made[r.Key] == nil {
			l.made[r.Key] = map[uint16]int{}
		}
		l.made[r.Key][r.Operation]++
	}
	s := l.seen[r.Request]
	if s == nil {
		s = &sighting{}
		l.seen[r.Request] = s
	}
	twice := s.found
	if r.Flags&journal.BatchItem != 0 {
		if s.items == nil {
			s.items = map[uint16]bool{}
		}
		twice = s.items[r.Item]
		s.items[r.Item] = true
	} else {
		s.record, s.found = *r, true
		s.record.Changes, s.record.Commitments = nil, nil
	}
	if twice {
		violated("record", "the record of request %s (%s) stands twice", gate.ID(r.Request), op.Name)
	}
}

func operation(number uint16) *gate.Operation {
	for _, op := range gate.Operations() {
		if op.Number == number {
			return op
		}
	}
	return nil
}

// compare finds, for every call that was answered since the last time, its one record; and that
// there are no more records without an answer than calls without one.
func (l *ledger) compare(history []call, violated report) {
	for ; l.compared < len(history); l.compared++ {
		c := &history[l.compared]
		if c.answered == 0 {
			l.silent[c.op.Number]++
			continue
		}
		s := l.seen[c.request]
		if s != nil {
			s.claimed = true
		}
		if why := c.recordedWrong(s); why != "" {
			violated("record", "%s of key %s, request %s in cycle %d: %s", c.op.Name, c.key, c.request, c.cycle, why)
		}
	}
	unclaimed := map[uint16]int{}
	for _, s := range l.seen {
		if !s.claimed && s.found {
			unclaimed[s.record.Operation]++
		}
	}
	for number, n := range unclaimed {
		if n > l.silent[number] {
			violated("record", "%d records of %s that no answer told of; %d calls were not answered",
				n, operation(number).Name, l.silent[number])
		}
	}
}

// recordedWrong tells what is wrong with the record of an answered call, or "".
func (c *call) recordedWrong(s *sighting) string {
	switch c.code {
	case client.Unavailable, client.NoSpace, client.Internal, client.RateLimited:
		return "" // the record could not be made durable, or is one of many
	}
	if s == nil || !s.found {
		return "answered, and there is no record"
	}
	r := &s.record
	switch {
	case r.Operation != c.op.Number:
		return "its record is of another operation"
	case c.done() != (r.Outcome == journal.Allowed):
		return "its record says " + r.Outcome.String() + ", the answer " + string(c.code)
	case !c.done() && gate.Code(r.Error).String() != string(c.code):
		return "its record says " + gate.Code(r.Error).String() + ", the answer " + string(c.code)
	case c.done() && c.key != gate.ID(r.Key) && r.Flags&journal.Replay == 0:
		return "its record is of key " + gate.ID(r.Key).String()
	case c.done() && c.op.Use != 0 && c.version != r.Version:
		return "its record is of another version"
	case len(s.items) != c.items:
		return "its record's items are not as many as the batch's"
	}
	return ""
}

// count compares how often each change was recorded as made with how often it is known to have
// been made: once for each answer, and once for those that were found made after a crash.
func (l *ledger) count(keys []*key, violated report) {
	known := map[gate.ID]bool{}
	for _, k := range keys {
		known[k.id] = true
		made := l.made[k.id]
		if made[gate.CreateKey.Number] != 1 {
			violated("record", "key %s has %d records of its creation", k.id, made[gate.CreateKey.Number])
		}
		for _, op := range gate.Operations() {
			if op != gate.CreateKey && made[op.Number] != k.done[op.Number] {
				violated("record", "key %s has %d records of %s, and it was done %d times", k.id, made[op.Number], op.Name, k.done[op.Number])
			}
		}
	}
	for id := range l.made {
		if !known[id] {
			violated("record", "key %s was changed, and nobody was told of it", id)
		}
	}
}
