package keys

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
)

// Counts tells how often and when last each version was used. It is folded from the journal, which
// alone is the truth: nothing is counted while a key is used, and nothing is lost with the memory.
//
// What was folded up to some record is kept in the store: see [Counts.Checkpoint]. What came since is
// held in layers, of the versions used since alone.
type Counts struct {
	view *gate.View
	// saving is held by a checkpoint, from its beginning to its end.
	saving sync.Mutex

	mu     sync.Mutex
	loaded bool
	kept   usageMark
	// pending is being made durable, fresh follows it.
	pending, fresh *layer
	whole          time.Time // when all that there was had been folded
}

// layer counts the uses that the records from one position up to another tell of.
type layer struct {
	from, through uint64
	uses          map[versionID]uses
	frame         []counted // of the frame being read
}

// counted is one use.
type counted struct {
	of  versionID
	use lifecycle.Use
	at  int64
}

// uses of one version, by what was done.
type uses struct {
	protect, process, verify uint64
	last                     int64 // nanoseconds since 1970 UTC
}

func (u uses) total() uint64 { return u.protect + u.process + u.verify }

func (u uses) plus(v uses) uses {
	return uses{u.protect + v.protect, u.process + v.process, u.verify + v.verify, max(u.last, v.last)}
}

func (u uses) lastUsed() time.Time {
	if u.last == 0 {
		return time.Time{}
	}
	return time.Unix(0, u.last).UTC()
}

// How far behind a reader may be.
const (
	// usageDelay is after how long a reader takes in everything there is.
	usageDelay = time.Second
	// usageStep is how many records a reader takes in at least: when fewer came since the last one,
	// it tells of all.
	usageStep = 4096
)

func newCounts(view *gate.View) *Counts { return &Counts{view: view} }

func newLayer(from uint64) *layer {
	return &layer{from: from, through: from, uses: map[versionID]uses{}}
}

// Fold takes in everything that the journal holds.
func (u *Counts) Fold(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fold(ctx, 0)
}

// fold takes in the journal's newest records, all or, when step is not 0, at least so many.
func (u *Counts) fold(ctx context.Context, step uint64) error {
	if err := u.load(ctx); err != nil {
		return err
	}
	now := u.view.Now()
	ended, err := u.fresh.fold(ctx, u.view, u.fresh.through+step, step > 0)
	if err == nil && ended {
		u.whole = now
	}
	return err
}

// catchUp is what a reader folds: see usageDelay and usageStep.
func (u *Counts) catchUp(ctx context.Context) error {
	if !u.loaded || u.view.Now().Sub(u.whole) >= usageDelay {
		return u.fold(ctx, 0)
	}
	return u.fold(ctx, usageStep)
}

// load reads the checkpoint, once, and what a checkpoint that was cut short was about.
func (u *Counts) load(ctx context.Context) error {
	if u.loaded {
		return nil
	}
	items, _, err := u.view.Get(ctx, usageMarkRef)
	if err != nil {
		return err
	}
	if u.kept, err = decodeUsageMark(&items[0]); err != nil {
		return err
	}
	u.pending, u.fresh = nil, newLayer(u.kept.Position)
	if u.kept.Toward > 0 {
		cut := newLayer(u.kept.Position)
		if _, err := cut.fold(ctx, u.view, u.kept.Toward, true); err != nil {
			return err
		}
		u.pending, u.fresh = cut, newLayer(u.kept.Toward)
	}
	u.loaded = true
	return nil
}

// fold counts the uses that records tell of, by whole frames: to the journal's end, which ended
// tells, or, when bounded, to the frame that reaches the record to.
func (l *layer) fold(ctx context.Context, view *gate.View, to uint64, bounded bool) (ended bool, err error) {
	for frame, err := range view.Records(ctx, l.through) {
		if err != nil {
			return false, err
		}
		if bounded && l.through >= to {
			return false, nil
		}
		l.frame = l.frame[:0]
		for record, err := range frame.Records() {
			if err == nil {
				err = l.count(record)
			}
			if err != nil {
				return false, fmt.Errorf("keys: counting uses at record %d: %w", frame.Position, err)
			}
		}
		for _, c := range l.frame { // a frame counts as a whole
			l.uses[c.of] = l.uses[c.of].plus(c.uses())
		}
		l.through = frame.Position + uint64(frame.Count)
	}
	return true, nil
}

// count counts one record. Only what was done is a use: what showed a public key used none, and what
// verified nothing was a use of no version, though its record names the one that was asked.
func (l *layer) count(encoded []byte) error {
	r, err := journal.GlanceAt(encoded)
	if err != nil || r.Outcome != journal.Allowed || r.Version == 0 {
		return err
	}
	if verifies(r.Operation) && !bytes.HasSuffix(r.Parameters, []byte(validTrue)) {
		return nil // of no version of the key, or of one that is not believed
	}
	if use := useOf(r.Operation); use != 0 {
		l.frame = append(l.frame, counted{versionID{r.Key, r.Version}, use, r.Time})
	}
	if r.Operation == gate.ReEncrypt.Number {
		if to, ok := destination(string(r.Parameters)); ok {
			l.frame = append(l.frame, counted{to, lifecycle.Protect, r.Time})
		}
	}
	return nil
}

func (c counted) uses() uses {
	n := uses{last: c.at}
	switch c.use {
	case lifecycle.Protect:
		n.protect = 1
	case lifecycle.Process:
		n.process = 1
	case lifecycle.VerifySignature:
		n.verify = 1
	}
	return n
}

func verifies(operation uint16) bool {
	return operation == gate.Verify.Number || operation == gate.VerifyMAC.Number
}

// useOf tells what an operation of the table does with material; 0: nothing.
func useOf(operation uint16) lifecycle.Use {
	if int(operation) < len(usesByNumber) {
		return usesByNumber[operation]
	}
	return 0
}

var usesByNumber = func() (uses [256]lifecycle.Use) {
	for _, op := range gate.Operations() {
		if int(op.Number) < len(uses) && !op.Reads {
			uses[op.Number] = op.Use
		}
	}
	return uses
}()

// destination reads the version that re-encrypt encrypted under from its record's parameters.
func destination(parameters string) (v versionID, ok bool) {
	for field := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(field, "=")
		if name != "to" {
			continue
		}
		id, number, _ := strings.Cut(value, "@")
		n, err := strconv.ParseUint(number, 10, 32)
		v.key, ok = gate.ParseID(id)
		v.number = uint32(n)
		return v, ok && err == nil && n > 0
	}
	return v, false
}

// span is a key and how many versions it has.
type span struct {
	key      gate.ID
	versions uint32
}

// tail is what a layer held of a version when it was asked.
type tail struct {
	of      versionID
	uses    uses
	through uint64
}

// read returns the uses of every version of keys that was used: of all records up to a moment less
// than usageDelay ago, or to now where fewer than usageStep came since.
//
// A checkpoint may go on between reading the layers and the items; an item says how far it counts, and
// only what a layer counts beyond that is added.
func (u *Counts) read(ctx context.Context, of ...span) (map[versionID]uses, error) {
	tails, generation, err := u.tails(ctx, of)
	if err != nil {
		return nil, err
	}
	var chunks []chunkID
	for _, s := range of {
		for n := uint32(1); n <= s.versions; n += versionsPerChunk {
			chunks = append(chunks, chunkOf(versionID{s.key, n}))
		}
	}
	out := map[versionID]uses{}
	through := make(map[chunkID]uint64, len(chunks))
	stored, err := readChunks(ctx, u.view, generation, chunks)
	if err != nil {
		return nil, err
	}
	for i, c := range chunks {
		through[c] = stored[i].Through
		for n, used := range stored[i].versions() {
			out[versionID{c.key, n}] = used
		}
	}
	for _, t := range tails {
		if t.through > through[chunkOf(t.of)] {
			out[t.of] = out[t.of].plus(t.uses)
		}
	}
	return out, nil
}

func (u *Counts) tails(ctx context.Context, of []span) (out []tail, generation uint64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.catchUp(ctx); err != nil {
		return nil, 0, err
	}
	for _, l := range []*layer{u.pending, u.fresh} {
		if l == nil || len(l.uses) == 0 {
			continue
		}
		for _, s := range of {
			for n := uint32(1); n <= s.versions; n++ {
				v := versionID{s.key, n}
				if used, ok := l.uses[v]; ok {
					out = append(out, tail{v, used, l.through})
				}
			}
		}
	}
	return out, u.kept.Generation, nil
}

// show tells in documents how often their keys were used, over all versions.
func (u *Counts) show(ctx context.Context, a gate.Approved, documents ...*Key) error {
	a.Principal()
	of := make([]span, len(documents))
	for i, k := range documents {
		id, _ := gate.ParseID(k.ID)
		of[i] = span{id, k.Versions}
	}
	used, err := u.read(ctx, of...)
	if err != nil {
		return err
	}
	totals := map[gate.ID]uses{}
	for v, n := range used {
		totals[v.key] = totals[v.key].plus(n)
	}
	for i, k := range documents {
		total := totals[of[i].key]
		count := total.total()
		k.UseCount, k.LastUsedAt = &count, total.lastUsed()
	}
	return nil
}

// chunkID names an item of counts: those of a key's versions 1 to 256, 257 to 512, and so on.
type chunkID struct {
	key    gate.ID
	number uint32
}

const versionsPerChunk = 256

func chunkOf(v versionID) chunkID { return chunkID{v.key, (v.number - 1) / versionsPerChunk} }

func (c chunkID) id() string {
	return string(binary.BigEndian.AppendUint32(append(make([]byte, 0, 20), c.key[:]...), c.number))
}
