package gate

import (
	"context"
	"fmt"
	"hash/maphash"

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
func (v *View) Check(ctx context.Context, live bool, progress func(float64)) (Check, error) {
	head, err := v.store.Head(ctx)
	if err != nil {
		return Check{}, asError(err)
	}
	c := &checker{view: v, seed: maphash.MakeSeed(), parts: 1, live: live, head: head, progress: progress}
	if err := c.walk(ctx, 0); err != nil { // the journal itself, and how much is to be remembered
		return Check{}, err
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
	if c.guard.access != c.access {
		c.find("access items", "are not the set that the journal's last frame guards")
	}
	if c.guard.stops != v.stops.position() {
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

// missing finds the items that records tell of and that are not there. One that was deleted since
// the check began has a record by now.
func (c *checker) missing(ctx context.Context) error {
	gone := map[store.Ref]uint64{}
	for ref, change := range c.last {
		if !change.seen && !change.deleted {
			gone[ref] = change.revision
		}
	}
	if len(gone) == 0 {
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
		if err != nil {
			return asError(err)
		}
		place := fmt.Sprintf("frame at record %d", raw.Position)
		f, err := journal.DecodeFrame(raw.Data)
		if err != nil {
			if whole {
				c.find(place, "%v", err)
			}
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
		c.find("journal", "ends at record %d and the head says %d", at.Position, c.head.Position)
	}
	return nil
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
		q := store.Query{Kind: kind, Limit: store.MaxPage}
		for more := true; more; {
			page, err := c.view.store.List(ctx, q)
			if err != nil {
				return asError(err)
			}
			for i := range page.Items {
				c.item(&page.Items[i])
				q.After = page.Items[i].ID
			}
			more = page.More
		}
	}
	return nil
}

func (c *checker) item(item *store.Item) {
	if !c.mine(item.Ref) {
		return
	}
	c.found.Items++
	last, known := c.last[item.Ref]
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
	newer := c.live && item.Epoch.Incarnation == c.head.Epoch.Incarnation && item.Epoch.N >= c.head.Epoch.N
	switch {
	case newer && (!known || item.Revision > last.revision):
	case !known || last.deleted:
		c.find(item.Ref.String(), "is there and no record tells of it: it was brought back or inserted")
	case last.revision != item.Revision || [16]byte(item.MAC[:16]) != last.mac:
		c.find(item.Ref.String(), "is at revision %d and its last record says %d: it was rolled back", item.Revision, last.revision)
	}
}
