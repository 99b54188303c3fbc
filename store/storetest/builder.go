package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Builder makes batches with real frames that continue a store's head, as the gate's sequencer
// does. It is for tests and not safe for concurrent use.
type Builder struct {
	// Head is what the next batch continues.
	Head store.Head

	made  uint64
	frame journal.Builder
}

// NewBuilder returns a builder that continues head.
func NewBuilder(head store.Head) *Builder { return &Builder{Head: head} }

// Batch returns the next batch: one record for each operation up to the highest Op in changes, at
// least records and at least one, and the changes with what the builder knows better filled in:
// revision, epoch and, if it is zero, a MAC. Touched makes the epoch move. The head stays until
// [Builder.Done]. Every batch has an id of its own.
func (b *Builder) Batch(records int, changes []store.Change, touched ...store.Ref) *store.Batch {
	b.made++
	batch := &store.Batch{Seen: b.Head, Next: b.Head, Changes: changes, Touched: touched}
	binary.BigEndian.PutUint64(batch.ID[:], b.Head.Position+1)
	binary.BigEndian.PutUint64(batch.ID[8:], b.made)
	if len(touched) > 0 {
		batch.Next.Epoch.N++
	}
	records = max(records, 1)
	for i := range changes {
		c := &changes[i]
		records = max(records, c.Op+1)
		c.Item.Revision = c.Expected + 1
		c.Item.Epoch = batch.Next.Epoch
		if c.Item.MAC == ([32]byte{}) {
			c.Item.MAC = sha256.Sum256(fmt.Appendf(nil, "%s %d %x", c.Item.Ref, c.Item.Revision, c.Item.Body))
		}
	}
	b.build(batch, records)
	return batch
}

func (b *Builder) build(batch *store.Batch, records int) {
	b.frame.Reset()
	for op := range records {
		r := journal.Record{Operation: 1, Outcome: journal.Allowed, Time: int64(b.made)}
		binary.BigEndian.PutUint64(r.Request[:], b.made)
		binary.BigEndian.PutUint64(r.Request[8:], uint64(op)+1)
		for i := range batch.Changes {
			c := &batch.Changes[i]
			// What no record can name is there to test the store's limits only.
			if c.Op == op && c.Item.Kind != 0 && len(c.Item.ID) > 0 && len(c.Item.ID) <= 255 && len(r.Changes) < 8 {
				change := journal.ItemChange{
					Kind: uint8(c.Item.Kind), Deleted: c.Delete, ID: c.Item.ID, Revision: c.Item.Revision,
				}
				copy(change.MAC[:], c.Item.MAC[:])
				r.Changes = append(r.Changes, change)
			}
		}
		encoded, err := journal.AppendRecord(nil, &r)
		if err != nil {
			panic(err) // a mistake in the test that asked for it
		}
		b.frame.Add(encoded, nil)
	}
	h := journal.Header{
		Changes: len(batch.Changes) > 0, Position: batch.Seen.Position, Time: int64(b.made),
		Incarnation: batch.Next.Epoch.Incarnation, Epoch: batch.Next.Epoch.N, Batch: batch.ID, Before: batch.Seen.Chain,
	}
	data, err := b.frame.AppendFrame(nil, &h)
	if err != nil {
		panic(err) // as above
	}
	batch.Frame = data
	batch.Next.Position = batch.Seen.Position + uint64(h.Count)
	batch.Next.Chain = h.After
}

// Done says that the batch is durable: the next one continues it.
func (b *Builder) Done(batch *store.Batch) { b.Head = batch.Next }

// Put is the change of operation op that writes it over revision expected; 0 inserts.
func Put(op int, expected uint64, it store.Item) store.Change {
	return store.Change{Op: op, Expected: expected, Item: it}
}

// Delete is the change of operation op that deletes revision expected of ref.
func Delete(op int, expected uint64, ref store.Ref) store.Change {
	return store.Change{Op: op, Expected: expected, Item: store.Item{Ref: ref}, Delete: true}
}

// Item is an item of a kind with an id and a body, neither indexed nor due.
func Item(kind store.Kind, id, body string) store.Item {
	return store.Item{Ref: store.Ref{Kind: kind, ID: id}, Body: []byte(body)}
}
