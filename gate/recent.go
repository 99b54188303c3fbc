package gate

import (
	"hash/maphash"
	"sync"

	"github.com/haven-health/haven/store"
)

// print stands for a store.Ref in the memory of recent changes. Two references with the same
// print cost at most an operation run twice.
type print uint64

// recent remembers in which epoch each item was last touched, far enough back for the operations
// under way. It is what tells a stale read from a fresh one.
type recent struct {
	seed maphash.Seed

	mu    sync.RWMutex
	last  map[print]uint64
	order []touchedAt // as touched, for forgetting
	// floor: of epochs up to it nothing is known any more. newest is the last that touched anything.
	floor, newest uint64
	// resets counts how often all was forgotten; undone also how often a touch was taken back.
	resets, undone uint64
}

type touchedAt struct {
	epoch uint64
	print print
}

// maxRecent bounds the memory: about 3 MB when full.
const maxRecent = 1 << 16

func newRecent(epoch uint64) *recent {
	return &recent{seed: maphash.MakeSeed(), last: map[print]uint64{}, floor: epoch, newest: epoch}
}

func (r *recent) print(ref store.Ref) print {
	return mix(ref.Kind, maphash.String(r.seed, ref.ID))
}

// printOf is print of an item whose id is at hand as bytes: a look-up in a cache makes no string
// of it.
func (r *recent) printOf(kind store.Kind, id []byte) print {
	return mix(kind, maphash.Bytes(r.seed, id))
}

// mix keeps apart what has the same id and another kind; the factor is 2^64 over the golden ratio.
func mix(kind store.Kind, hash uint64) print { return print(hash ^ uint64(kind)*0x9e3779b97f4a7c15) }

// touch notes that epoch touched what p stands for. undo takes it back.
func (r *recent) touch(p print, epoch uint64) (undo func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, had := r.last[p]
	r.last[p] = epoch
	r.newest = max(r.newest, epoch)
	r.order = append(r.order, touchedAt{epoch, p})
	if len(r.order) > maxRecent {
		r.forget(len(r.order) / 2)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.undone++
		if had {
			r.last[p] = before
		} else {
			delete(r.last, p)
		}
	}
}

// forget drops the oldest n entries and raises the floor to the newest of them.
func (r *recent) forget(n int) {
	for _, t := range r.order[:n] {
		if t.epoch > r.floor {
			r.floor = t.epoch
		}
	}
	for _, t := range r.order[:n] {
		if r.last[t.print] <= r.floor {
			delete(r.last, t.print)
		}
	}
	r.order = append(r.order[:0:0], r.order[n:]...)
}

// since tells whether any of prints may have been touched after epoch.
func (r *recent) since(epoch uint64, prints []print) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if epoch < r.floor {
		return true
	}
	if epoch >= r.newest { // most often: nothing at all was touched since
		return false
	}
	for _, p := range prints {
		if r.last[p] > epoch {
			return true
		}
	}
	return false
}

// takenBack returns how often all was forgotten so far, and how often a touch was taken back.
func (r *recent) takenBack() (resets, undone uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.resets, r.undone
}

// stale tells whether anything of a reading may have been touched since, or been staged and never
// written.
func (r *recent) stale(of *Reading) bool {
	resets, _ := r.takenBack()
	return resets != of.resets || r.since(of.epoch, of.prints)
}

// reset forgets everything: whatever was read before epoch counts as touched.
func (r *recent) reset(epoch uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resets++
	r.undone++
	clear(r.last)
	r.order = nil
	r.floor, r.newest = epoch, epoch
}
