package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/storetest"
)

// world is a store on a simulated disk, and what it must hold: everything that was acknowledged,
// and of what was tried when the disk failed, all or nothing.
type world struct {
	rng    *rand.Rand
	sim    *disk.Sim
	config embedded.Config
	tasks  []func() // background work of the store, done when the test says

	store *embedded.Store
	build *storetest.Builder

	acked []*store.Batch
	tried *store.Batch // failed with an unknown outcome
	items map[store.Ref]store.Item
}

func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 2))
	w := &world{rng: rng, sim: disk.NewSim(), items: map[store.Ref]store.Item{}}
	w.config = embedded.Config{
		FS: w.sim, Rand: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}), SegmentSize: int64(2048 + 512*rng.IntN(16)), LowSpace: -1,
		Reserve: int64(4096 * rng.IntN(3)), KeptEpochs: 5, WAL: int64(4096 * rng.IntN(20)), Spawn: func(task func()) { w.tasks = append(w.tasks, task) },
	}
	w.config.WAL += 4096 // 0 would be the default
	if w.config.Reserve == 0 {
		w.config.Reserve = -1
	}
	return w
}

// open opens the store; a failure of the disk leaves none.
func (w *world) open() error {
	w.tasks = nil
	s, err := embedded.Open(context.Background(), w.config)
	if err != nil {
		return err
	}
	w.store = s
	if w.build == nil {
		head, err := s.Head(context.Background())
		if err != nil {
			return err
		}
		w.build = storetest.NewBuilder(head)
	}
	return nil
}

// abandon ends the process: nothing it still does reaches the disk.
func (w *world) abandon() {
	if w.store != nil {
		_ = w.store.Close() // its disk is dead
		w.store = nil
	}
}

// commit makes the next batch durable and keeps count. It returns the errors after which a process
// goes on by itself: nil and ErrNoSpace.
func (w *world) commit(b *store.Batch) error {
	err := w.store.Commit(context.Background(), b)
	switch {
	case err == nil:
		w.accept(b)
	case !errors.Is(err, store.ErrNoSpace) && w.tried == nil:
		w.tried = b
	}
	return err
}

// accept takes the batch into what must be there.
func (w *world) accept(b *store.Batch) {
	w.acked, w.tried = append(w.acked, b), nil
	for _, c := range b.Changes {
		if c.Delete {
			delete(w.items, c.Item.Ref)
		} else {
			w.items[c.Item.Ref] = c.Item
		}
	}
	w.build.Done(b)
}

// batch returns a random next batch.
func (w *world) batch() *store.Batch {
	records := 1 + w.rng.IntN(12)
	if w.rng.IntN(2) == 0 {
		return w.build.Batch(records, nil)
	}
	var changes []store.Change
	var touched []store.Ref
	refs := slices.SortedFunc(maps.Keys(w.items), func(a, b store.Ref) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	used := map[store.Ref]bool{}
	for op := range 1 + w.rng.IntN(4) {
		it := storetest.Item(store.KindKey, fmt.Sprintf("%d-%d", len(w.acked), w.rng.IntN(1000)), "x")
		expected := uint64(0)
		if len(refs) > 0 && w.rng.IntN(2) == 0 {
			it.Ref = refs[w.rng.IntN(len(refs))]
			expected = w.items[it.Ref].Revision
			touched = append(touched, it.Ref)
		}
		if used[it.Ref] {
			continue
		}
		used[it.Ref] = true
		if expected > 0 && w.rng.IntN(3) == 0 {
			changes = append(changes, storetest.Delete(op, expected, it.Ref))
			continue
		}
		it.Body = bytes.Repeat([]byte{byte(w.rng.IntN(256))}, w.rng.IntN(600))
		it.Index[w.rng.IntN(4)] = fmt.Sprint(w.rng.IntN(3))
		it.Due = int64(w.rng.IntN(5))
		changes = append(changes, storetest.Put(op, expected, it))
	}
	return w.build.Batch(records, changes, touched...)
}

// act does one random thing that a running store does.
func (w *world) act() error {
	switch w.rng.IntN(10) {
	case 0, 1:
		if len(w.tasks) > 0 {
			task := w.tasks[0]
			w.tasks = w.tasks[1:]
			task()
		}
		return nil
	case 2:
		_ = w.store.Checkpoint() // what fails here, the store tells at the next call
		return nil
	case 3:
		return w.conflict()
	case 4:
		if len(w.acked) == 0 {
			return nil
		}
		return w.store.Commit(context.Background(), w.acked[len(w.acked)-1])
	}
	return w.commit(w.batch())
}

// conflict offers a change of what is not there.
func (w *world) conflict() error {
	err := w.store.Commit(context.Background(), w.build.Batch(1, []store.Change{
		storetest.Put(0, 0, storetest.Item(store.KindAlias, "never", "")),
		storetest.Put(0, 1, storetest.Item(store.KindAlias, "nothing", "")),
	}))
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		return nil
	}
	if err == nil {
		return errors.New("a change of nothing was accepted")
	}
	return err
}

// verify compares an open store with what must be there.
func (w *world) verify() error {
	ctx := context.Background()
	head, err := w.store.Head(ctx)
	if err != nil {
		return err
	}
	if w.tried != nil && head == w.tried.Next {
		w.accept(w.tried)
	}
	w.tried = nil
	if head != w.build.Head {
		return fmt.Errorf("the head is %v %d, acknowledged were %v %d", head.Epoch, head.Position, w.build.Head.Epoch, w.build.Head.Position)
	}
	if err := w.verifyRecords(); err != nil {
		return err
	}
	if err := w.verifyItems(); err != nil {
		return err
	}
	if n := len(w.acked); n > 0 {
		if err := w.store.Commit(ctx, w.acked[n-1]); err != nil {
			return fmt.Errorf("the last batch again: %w", err)
		}
	}
	found, err := w.store.Fsck(ctx)
	if err != nil || len(found) > 0 {
		return fmt.Errorf("fsck: %v, %w", found, err)
	}
	return nil
}

func (w *world) verifyRecords() error {
	n := 0
	for f, err := range w.store.Records(context.Background(), 0) {
		if err != nil {
			return err
		}
		if n == len(w.acked) || f.Position != w.acked[n].Seen.Position || !bytes.Equal(f.Data, w.acked[n].Frame) {
			return fmt.Errorf("frame %d at record %d is not what was acknowledged", n, f.Position)
		}
		n++
	}
	if n != len(w.acked) {
		return fmt.Errorf("%d frames of %d", n, len(w.acked))
	}
	return nil
}

func (w *world) verifyItems() error {
	n := 0
	for kind := store.KindKey; kind <= store.KindSetting; kind++ {
		page, err := w.store.List(context.Background(), store.Query{Kind: kind, Limit: store.MaxPage})
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			if want := w.items[it.Ref]; it.Revision != want.Revision || it.MAC != want.MAC || it.Epoch != want.Epoch ||
				it.Index != want.Index || it.Due != want.Due || !bytes.Equal(it.Body, want.Body) {
				return fmt.Errorf("%s at revision %d, want %d", it.Ref, it.Revision, want.Revision)
			}
			n++
		}
	}
	if n != len(w.items) {
		return fmt.Errorf("%d items of %d", n, len(w.items))
	}
	return nil
}
