package gate

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Finding is something in the store that is not as Haven wrote it.
type Finding struct {
	Place string `json:"place"` // what it concerns: "record 17", "key 0123…"
	What  string `json:"what"`
}

// String returns the finding as one line.
func (f Finding) String() string { return f.Place + ": " + f.What }

// Found makes a finding of an error that says that what is stored is not what Haven wrote; ok is
// false for any other error. The finding tells the cause, which no answer to a caller does.
func Found(place string, err error) (f Finding, ok bool) {
	if !damaged(err) {
		return Finding{}, false
	}
	var e *Error
	if errors.As(err, &e) && e.cause != nil {
		err = e.cause
	}
	return Finding{place, err.Error()}, true
}

func damaged(err error) bool { return errors.Is(err, Tampered) || errors.Is(err, store.ErrCorrupt) }

// Examine is [NewView] for a check of a store that may be damaged: what NewView refuses it returns
// as a finding, with a view that is good for checking alone.
func Examine(ctx context.Context, cfg ViewConfig) (*View, []Finding, error) {
	v, err := NewView(ctx, cfg)
	if err == nil {
		return v, nil, nil
	}
	f, ok := Found("guard", err)
	if !ok {
		return nil, nil, err
	}
	return &View{store: cfg.Store, mac: cfg.MAC, storeID: cfg.StoreID, recent: newRecent(0)}, []Finding{f}, nil
}

// Check is what a check of the whole store looked at and found.
type Check struct {
	Frames, Records, Items uint64
	Findings               []Finding
}

// maxFindings is after how many findings a check stops looking.
const maxFindings = 1000

// partChanges is how many changed items a check remembers at once: some 100 MB. With more, the
// items are looked at in parts, each with a walk of its own.
const partChanges = 500_000

// Check compares the store with its journal: every frame's place, chain and guard; every item's
// MAC, and that its revision is the last that a record tells of; that no item is missing and none
// is there that no record tells of; the stops chain and the set of access items. When live is
// false nothing may change meanwhile; when it is true, as for a scrub, what is newer than the
// check's beginning is taken by its MAC alone. progress, if not nil, is called now and then with
// how much of the work is done, 0 to 1.
//
// What cannot be read is a finding, and the check goes on with what can: where the journal breaks
// off, items are compared with the records before that. An error means that it could not finish,
// and comes with what was found.
func (v *View) Check(ctx context.Context, live bool, progress func(float64)) (Check, error) {
	head, err := v.store.Head(ctx)
	if err != nil {
		return Check{}, asError(err)
	}
	c := &checker{view: v, seed: maphash.MakeSeed(), parts: 1, live: live, head: head, progress: progress}
	if err := c.walk(ctx, 0); err != nil { // the journal itself, and how much is to be remembered
		return c.found, err
	}
	c.parts = 1 + c.changes/partChanges
	for c.part = 0; c.part < c.parts; c.part++ {
		c.last = map[store.Ref]lastChange{}
		if err := c.walk(ctx, 0); err != nil {
			return c.found, err
		}
		if err := c.items(ctx); err != nil {
			return c.found, err
		}
		if err := c.missing(ctx); err != nil {
			return c.found, err
		}
		c.step(1)
	}
	if now, err := v.store.Head(ctx); err != nil || now != head {
		if !live {
			c.find("store", "changed while it was checked")
		}
		return c.found, err
	}
	if c.broken {
		return c.found, nil
	}
	if !c.unread && c.guard.access != c.access {
		c.find("access items", "are not the set that the journal's last frame guards")
	}
	if v.stops != nil && c.guard.stops != v.stops.position() {
		c.find("stops", "the chain is not the one that the journal's last frame guards")
	}
	return c.found, nil
}

// checker is one check. It looks at the items in parts, by a hash of their references, so that
// what it must remember of the journal is bounded.
type checker struct {
	view        *View
	seed        maphash.Seed
	part, parts uint64
	live        bool
	head        store.Head // at the beginning
	progress    func(float64)

	last    map[store.Ref]lastChange // nil in the first walk
	changes uint64
	guard   guarded
	access  setHash
	found   Check

	broken bool // the journal cannot be read to its end
	unread bool // some items cannot be read
}

// lastChange is what the newest record that changed an item says of it.
type lastChange struct {
	revision uint64
	mac      [16]byte
	deleted  bool
	seen     bool
}

func (c *checker) find(place, format string, args ...any) {
	if len(c.found.Findings) < maxFindings {
		c.found.Findings = append(c.found.Findings, Finding{place, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) step(done float64) {
	if c.progress != nil && c.last != nil {
		c.progress((float64(c.part) + done) / float64(c.parts))
	}
}

func (c *checker) mine(ref store.Ref) bool {
	return c.parts == 1 || maphash.Comparable(c.seed, ref)%c.parts == c.part
}

// missing finds the items that records tell of and that are not there: each is asked for by its
// name, for a list may have broken off before it. One that was deleted since the check began has
// a record by now.
func (c *checker) missing(ctx context.Context) error {
	gone := map[store.Ref]uint64{}
	for ref, change := range c.last {
		if change.seen || change.deleted {
			continue
		}
		items, _, err := c.view.store.Get(ctx, ref)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			c.unread = true
			c.find(ref.String(), "cannot be read: %v", err)
		case err != nil:
			return asError(err)
		case items[0].Revision > 0:
			c.item(&items[0])
		default:
			gone[ref] = change.revision
		}
	}
	if len(gone) == 0 || c.broken { // then a later record may tell of the deletion
		return nil
	}
	if err := c.walk(ctx, c.head.Position); err != nil {
		return err
	}
	for ref, revision := range gone {
		if !c.last[ref].deleted {
			c.find(ref.String(), "is missing: revision %d was written and no record tells of its deletion", revision)
		}
	}
	return nil
}

// walk reads the journal from a record on, as far as it went when the walk began. What is wrong
// with the journal itself is found by the first walk from its beginning.
func (c *checker) walk(ctx context.Context, from uint64) error {
	whole := c.last == nil
	var at store.Head
	for raw, err := range c.view.store.Records(ctx, from) {
		if errors.Is(err, store.ErrCorrupt) {
			c.breaks(whole, fmt.Sprintf("record %d", at.Position), err)
			return nil
		}
		if err != nil {
			return asError(err)
		}
		place := fmt.Sprintf("frame at record %d", raw.Position)
		f, err := journal.DecodeFrame(raw.Data)
		if err != nil {
			c.breaks(whole, place, err)
			return nil
		}
		if whole && f.Position < c.head.Position {
			c.frame(place, &f, at)
		}
		c.records(&f)
		at = store.Head{Position: f.Position + uint64(f.Count), Chain: f.After, Epoch: store.Epoch{Incarnation: f.Incarnation, N: f.Epoch}}
		if whole && at.Position == c.head.Position && at.Chain != c.head.Chain {
			c.find(place, "its chain hash is not the head's")
		}
		if raw.Position%64 == 0 {
			c.step(min(1, float64(at.Position)/float64(c.head.Position)) / 2)
		}
	}
	if whole && at.Position < c.head.Position {
		c.broken = true
		c.find("journal", "ends at record %d and the head says %d", at.Position, c.head.Position)
	}
	return nil
}

// breaks notes where the journal can no longer be read.
func (c *checker) breaks(whole bool, place string, err error) {
	c.broken = true
	if whole {
		c.find(place, "the journal cannot be read from here on: %v", err)
	}
}

// frame checks a frame's place in the chain and its guard.
func (c *checker) frame(place string, f *journal.Frame, at store.Head) {
	c.found.Frames++
	if f.Position != at.Position || f.Before != at.Chain {
		c.find(place, "does not follow the frame before it")
	}
	if at.Position > 0 && (f.Incarnation == at.Epoch.Incarnation && f.Epoch < at.Epoch.N) {
		c.find(place, "its epoch %d is before %d", f.Epoch, at.Epoch.N)
	}
	guard, err := readGuard(c.view.mac, &f.Header)
	if err != nil {
		c.find(place, "its guard is not Haven's")
		return
	}
	c.guard = guard
}

// records notes what each record changed.
func (c *checker) records(f *journal.Frame) {
	n := f.Position
	for encoded, err := range f.Records() {
		var r journal.Record
		if err == nil {
			r, err = journal.DecodeRecord(encoded)
		}
		if c.last == nil {
			if err != nil {
				c.broken = true
				c.find(fmt.Sprintf("record %d", n), "%v", err)
				return
			}
			c.found.Records++
			c.changes += uint64(len(r.Changes))
		} else if err != nil {
			return // found by the first walk
		} else {
			for i := range r.Changes {
				c.change(n, &r.Changes[i])
			}
		}
		n++
	}
}

func (c *checker) change(n uint64, change *journal.ItemChange) {
	ref := store.Ref{Kind: store.Kind(change.Kind), ID: change.ID}
	if !c.mine(ref) {
		return
	}
	before, known := c.last[ref]
	if known && change.Revision <= before.revision && n >= c.head.Position {
		return // walked before
	}
	if known && !before.deleted && change.Revision != before.revision+1 || !known && change.Revision != 1 {
		c.find(fmt.Sprintf("record %d", n), "changes %s to revision %d after %d", ref, change.Revision, before.revision)
	}
	c.last[ref] = lastChange{revision: change.Revision, mac: change.MAC, deleted: change.Deleted}
}

// items compares every item with the newest record that changed it.
func (c *checker) items(ctx context.Context) error {
	for _, kind := range store.Kinds() {
		for item, err := range c.view.every(ctx, kind) {
			if errors.Is(err, store.ErrCorrupt) {
				c.unread = true
				c.find(kind.String()+" items", "not all of them can be listed: %v", err)
			} else if err != nil {
				return asError(err)
			} else {
				c.item(item)
			}
		}
	}
	return nil
}

// every yields the items of a kind, unchecked, and ends after an error.
func (v *View) every(ctx context.Context, kind store.Kind) iter.Seq2[*store.Item, error] {
	return func(yield func(*store.Item, error) bool) {
		q := store.Query{Kind: kind, Limit: store.MaxPage}
		for more := true; more; {
			page, err := v.store.List(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Items {
				if !yield(&page.Items[i], nil) {
					return
				}
				q.After = page.Items[i].ID
			}
			more = page.More
		}
	}
}

// Sound yields the items of a kind that are as Haven wrote them, and passes over the others, which
// [View.Check] finds. It ends after an error.
func (v *View) Sound(ctx context.Context, kind store.Kind) iter.Seq2[*store.Item, error] {
	return func(yield func(*store.Item, error) bool) {
		for item, err := range v.every(ctx, kind) {
			if err != nil {
				yield(nil, asError(err))
				return
			}
			if v.itemMAC(item) == item.MAC && !yield(item, nil) {
				return
			}
		}
	}
}

func (c *checker) item(item *store.Item) {
	if !c.mine(item.Ref) {
		return
	}
	last, known := c.last[item.Ref]
	if last.seen {
		return
	}
	c.found.Items++
	if known {
		last.seen = true
		c.last[item.Ref] = last
	}
	if c.view.itemMAC(item) != item.MAC {
		c.find(item.Ref.String(), "revision %d is not what Haven wrote: its MAC is wrong", item.Revision)
		return
	}
	if decides(item.Kind) {
		c.access.add(&item.MAC, c.view.mac)
	}
	// What the journal does not tell to the end of may have been written since.
	newer := c.broken || c.live && item.Epoch.Incarnation == c.head.Epoch.Incarnation && item.Epoch.N >= c.head.Epoch.N
	switch {
	case newer && (!known || last.deleted || item.Revision > last.revision):
	case !known || last.deleted:
		c.find(item.Ref.String(), "is there and no record tells of it: it was brought back or inserted")
	case last.revision != item.Revision || [16]byte(item.MAC[:16]) != last.mac:
		c.find(item.Ref.String(), "is at revision %d and its last record says %d: it was rolled back", item.Revision, last.revision)
	}
}
