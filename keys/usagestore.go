package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// usageMark is the checkpoint: every record before Position is counted in the items, none from
// Toward on; where Toward is 0, none from Position on. Between the two, an item says for itself.
type usageMark struct {
	Format int `json:"v"`
	// Generation sets items apart that were counted before everything was counted anew.
	Generation uint64 `json:"generation,omitzero"`
	Position   uint64 `json:"position"`
	Toward     uint64 `json:"toward,omitzero"`
}

// usageBody is an item of counts: of every record before Through.
type usageBody struct {
	Format     int    `json:"v"`
	Generation uint64 `json:"generation,omitzero"`
	Through    uint64 `json:"through"`
	// Versions are number, protect, process, verify, last use (ns), of each that was used.
	Versions [][5]int64 `json:"versions"`
}

var usageMarkRef = store.Ref{Kind: store.KindUsage, ID: "checkpoint"}

func decodeUsageMark(item *store.Item) (m usageMark, err error) {
	if item.Revision == 0 {
		return usageMark{Format: bodyFormat}, nil
	}
	return m, decodeUsage(item, &m, &m.Format)
}

func decodeUsage(item *store.Item, to any, format *int) error {
	if err := json.Unmarshal(item.Body, to, json.RejectUnknownMembers(true)); err != nil {
		return unreadable(item.Ref, err)
	}
	if *format != bodyFormat {
		return unreadable(item.Ref, fmt.Errorf("format %d", *format))
	}
	return nil
}

func usageRef(c chunkID) store.Ref { return store.Ref{Kind: store.KindUsage, ID: c.id()} }

// decodeChunk reads an item of counts; one that is not there, or of another generation, is empty.
func decodeChunk(item *store.Item, generation uint64) (b usageBody, err error) {
	if item.Revision > 0 {
		err = decodeUsage(item, &b, &b.Format)
	}
	if b.Generation != generation || item.Revision == 0 {
		b = usageBody{Format: bodyFormat, Generation: generation}
	}
	return b, err
}

func readChunks(ctx context.Context, view *gate.View, generation uint64, chunks []chunkID) ([]usageBody, error) {
	out := make([]usageBody, 0, len(chunks))
	for part := range slices.Chunk(chunks, store.MaxGet) {
		refs := make([]store.Ref, len(part))
		for i, c := range part {
			refs[i] = usageRef(c)
		}
		items, _, err := view.Get(ctx, refs...)
		if err != nil {
			return nil, err
		}
		for i := range items {
			b, err := decodeChunk(&items[i], generation)
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		}
	}
	return out, nil
}

func (b *usageBody) versions() iter.Seq2[uint32, uses] {
	return func(yield func(uint32, uses) bool) {
		for _, row := range b.Versions {
			if !yield(uint32(row[0]), uses{uint64(row[1]), uint64(row[2]), uint64(row[3]), row[4]}) {
				return
			}
		}
	}
}

// add adds what a version was used, keeping the versions ascending.
func (b *usageBody) add(version uint32, more uses) {
	i, there := slices.BinarySearchFunc(b.Versions, int64(version), func(row [5]int64, n int64) int { return int(row[0] - n) })
	if !there {
		b.Versions = slices.Insert(b.Versions, i, [5]int64{int64(version)})
	}
	row := &b.Versions[i]
	sum := uses{uint64(row[1]), uint64(row[2]), uint64(row[3]), row[4]}.plus(more)
	*row = [5]int64{row[0], int64(sum.protect), int64(sum.process), int64(sum.verify), sum.last}
}

const (
	// chunksPerCommit is how many items one record can tell of.
	chunksPerCommit = 60
	// idleRecords is after how many records without a use a checkpoint is made nevertheless, so
	// that a start reads no more.
	idleRecords = 100_000
	// largeUsage is with how many versions in memory a checkpoint is due before its time.
	largeUsage = 100_000
)

// Large tells that a checkpoint is due, for what the memory holds.
func (u *Counts) Large() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fresh != nil && len(u.fresh.uses) >= largeUsage
}

// Commit runs an operation of Haven's own that changes items of counts; parameters are for its
// record.
type Commit func(ctx context.Context, parameters string, f gate.Function) error

// ErrOvertaken says that the items are not as this process left them: another counts, too, or a
// commit that seemed to fail was done.
var ErrOvertaken = errors.New("keys: the checkpoint of uses was moved by another")

// Checkpoint makes durable what was counted since the last one, if anything was. It takes one commit
// for each 60 keys that were used. Each says how far it counts, and what all of them are about stands
// in the first: cut short anywhere, the next one does the rest, and nothing is counted twice.
func (u *Counts) Checkpoint(ctx context.Context, commit Commit) error {
	u.saving.Lock()
	defer u.saving.Unlock()
	l, mark, err := u.seal(ctx)
	if err != nil || l == nil {
		return err
	}
	groups := l.groups()
	for i, group := range groups {
		next := mark
		if last := i == len(groups)-1; last {
			next.Position, next.Toward = l.through, 0
		} else {
			next.Toward = l.through
		}
		parameters := fmt.Sprintf("from=%d;through=%d;items=%d", l.from, l.through, len(group))
		err := commit(ctx, parameters, func(a gate.Approved) (gate.Outcome, error) {
			return u.stage(ctx, a, l, group, mark, next)
		})
		if errors.Is(err, gate.Conflict) {
			u.forget()
			return ErrOvertaken
		}
		if err != nil {
			return err
		}
		mark = next
		u.reached(l, mark)
	}
	return nil
}

// reached notes how far a checkpoint is.
func (u *Counts) reached(l *layer, mark usageMark) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.kept = mark
	if mark.Position == l.through {
		u.pending = nil
	}
}

// seal makes the fresh layer the pending one, unless one is pending; nil when there is no news.
func (u *Counts) seal(ctx context.Context) (*layer, usageMark, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.fold(ctx, 0); err != nil {
		return nil, u.kept, err
	}
	if u.pending == nil {
		if len(u.fresh.uses) == 0 && u.fresh.through-u.fresh.from < idleRecords {
			return nil, u.kept, nil
		}
		u.pending, u.fresh = u.fresh, newLayer(u.fresh.through)
	}
	return u.pending, u.kept, nil
}

// forget drops what is in memory: the next reader begins with what is stored.
func (u *Counts) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.loaded, u.pending, u.fresh = false, nil, nil
}

// groups returns the items that a layer changes, in the order of their ids, cut to what one commit
// tells of; one group, which may be empty, at least.
func (l *layer) groups() [][]chunkID {
	seen := map[chunkID]bool{}
	var all []chunkID
	for v := range l.uses {
		if c := chunkOf(v); !seen[c] {
			seen[c] = true
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b chunkID) int {
		if n := bytes.Compare(a.key[:], b.key[:]); n != 0 {
			return n
		}
		return int(a.number) - int(b.number)
	})
	groups := slices.Collect(slices.Chunk(all, chunksPerCommit))
	if len(groups) == 0 {
		groups = [][]chunkID{nil}
	}
	return groups
}

// stage stages one commit of a checkpoint. A mark that is not the one this process wrote is a
// conflict.
func (u *Counts) stage(ctx context.Context, a gate.Approved, l *layer, group []chunkID, mark, next usageMark) (gate.Outcome, error) {
	a.Principal()
	refs := []store.Ref{usageMarkRef}
	for _, c := range group {
		refs = append(refs, usageRef(c))
	}
	items, _, err := u.view.Get(ctx, refs...)
	if err != nil {
		return gate.Outcome{}, err
	}
	stored, err := decodeUsageMark(&items[0])
	if err != nil {
		return gate.Outcome{}, err
	}
	if stored != mark {
		return gate.Outcome{}, gate.Errorf(gate.Conflict, "the uses are counted elsewhere, too")
	}
	var out gate.Outcome
	if next != mark {
		if err := put(&out, &items[0], next); err != nil {
			return out, err
		}
	}
	for i, c := range group {
		item := &items[1+i]
		body, err := decodeChunk(item, mark.Generation)
		if err != nil {
			return out, err
		}
		if body.Through >= l.through {
			continue // by the checkpoint that was cut short
		}
		body.Through = l.through
		for n := c.number*versionsPerChunk + 1; n <= (c.number+1)*versionsPerChunk; n++ {
			if used, ok := l.uses[versionID{c.key, n}]; ok {
				body.add(n, used)
			}
		}
		if err := put(&out, item, body); err != nil {
			return out, err
		}
	}
	return out, nil
}

// put stages an item of counts.
func put(out *gate.Outcome, item *store.Item, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("keys: encoding counts: %w", err)
	}
	change := gate.Change{Ref: item.Ref, Body: b}
	if item.Revision > 0 {
		change.Before = item
	}
	out.Changes = append(out.Changes, change)
	return nil
}
