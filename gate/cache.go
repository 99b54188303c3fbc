package gate

import (
	"context"
	"sync"

	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/store"
)

// Reading collects what one operation read: the items by their prints, and the lowest epoch any
// of them was read at. The sequencer lets the operation pass only if nothing in it was touched
// since that epoch.
type Reading struct {
	epoch  uint64
	resets uint64 // of recent, when it began
	prints []print
	first  [14]print // room for an ordinary operation without an allocation
	id     [64]byte  // scratch, likewise
}

func (r *Reading) begin(epoch, resets uint64) {
	r.epoch, r.resets = epoch, resets
	r.prints = r.first[:0]
}

// follow begins where another reading stands.
func (r *Reading) follow(other *Reading) {
	r.begin(other.epoch, other.resets)
	r.prints = append(r.prints, other.prints...)
}

func (r *Reading) add(p print) { r.prints = append(r.prints, p) }

func (r *Reading) lower(epoch uint64) {
	if epoch < r.epoch {
		r.epoch = epoch
	} else if fault.Mutant("later-load-hides-earlier-epoch") {
		r.epoch = epoch
	}
}

// shards bounds how long concurrent readers of one cache wait for each other.
const shards = 64

// Cache holds decoded items so that a hot operation reads no store. What it returns is as of the
// epoch that the Reading began with, because every change is wiped from it before that epoch
// counts as applied; and a value loaded while a change of it was applied is used once and not
// kept. Absence is never cached.
type Cache[K comparable, V any] struct {
	view   *View
	kind   store.Kind
	id     func([]byte, K) []byte
	evict  func(V)
	shards [shards]cacheShard[K, V]
}

type cacheShard[K comparable, V any] struct {
	mu    sync.Mutex
	items map[print]*cached[K, V]
	// ring and hand are the clock algorithm: second chance for what was used since last seen.
	ring []*cached[K, V]
	hand int
	size int
}

type cached[K comparable, V any] struct {
	key   K
	value V
	print print
	used  bool
	dead  bool
}

// NewCache makes a cache of at most size items of the view, all of one kind. id appends the
// item's id of a key; evict, if not nil, is called with each value that leaves the cache, while
// another goroutine may still be using it.
func NewCache[K comparable, V any](v *View, size int, kind store.Kind, id func([]byte, K) []byte, evict func(V)) *Cache[K, V] {
	c := &Cache[K, V]{view: v, kind: kind, id: id, evict: evict}
	for i := range c.shards {
		c.shards[i].items = map[print]*cached[K, V]{}
		c.shards[i].size = max(1, size/shards)
	}
	v.register(c)
	return c
}

// Get returns the value of key, from the cache or by load, and notes it in r. load returns the
// value and the epoch of the snapshot it read; its error is returned as it is.
func (c *Cache[K, V]) Get(ctx context.Context, r *Reading, key K, load func(context.Context, K) (V, store.Epoch, error)) (V, error) {
	p := c.view.recent.printOf(c.kind, c.id(r.id[:0], key))
	r.add(p)
	s := &c.shards[p%shards]
	s.mu.Lock()
	if e := s.items[p]; e != nil && e.key == key {
		e.used = true
		value := e.value // drop clears it
		s.mu.Unlock()
		return value, nil
	}
	s.mu.Unlock()
	_, undone := c.view.recent.takenBack()
	value, epoch, err := load(ctx, key)
	if err != nil {
		return value, err
	}
	r.lower(epoch.N)
	c.fill(s, p, key, value, r.epoch, undone)
	return value, nil
}

// fill keeps a loaded value unless a change of it was applied after epoch. That is the reading's,
// not the snapshot's: between a commit and its being applied, the item is new and the stops that
// it lifts still stand. Nor is a value kept when a staged change was taken back meanwhile: the
// load may have met its stops.
func (c *Cache[K, V]) fill(s *cacheShard[K, V], p print, key K, value V, epoch, undone uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, now := c.view.recent.takenBack()
	if fault.Mutant("load-of-undone-kept") {
		now = undone
	}
	if stale := now != undone || c.view.recent.since(epoch, []print{p}); stale && !fault.Mutant("stale-fill-installed") {
		return
	}
	e := &cached[K, V]{key: key, value: value, print: p, used: true}
	if old := s.items[p]; old != nil {
		c.drop(s, old)
	}
	s.items[p] = e
	if len(s.ring) < s.size {
		s.ring = append(s.ring, e)
		return
	}
	for {
		s.hand = (s.hand + 1) % len(s.ring)
		victim := s.ring[s.hand]
		if !victim.dead && victim.used {
			victim.used = false
			continue
		}
		if !victim.dead {
			c.drop(s, victim)
		}
		s.ring[s.hand] = e
		return
	}
}

// drop takes an entry out; its place in the ring is reused when the hand comes by.
func (c *Cache[K, V]) drop(s *cacheShard[K, V], e *cached[K, V]) {
	delete(s.items, e.print)
	e.dead = true
	if c.evict != nil {
		c.evict(e.value)
	}
	var none V
	e.value = none
}

func (c *Cache[K, V]) wipe(p print) {
	s := &c.shards[p%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.items[p]; e != nil {
		c.drop(s, e)
	}
}

func (c *Cache[K, V]) wipeAll() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, e := range s.items {
			c.drop(s, e)
		}
		s.ring, s.hand = nil, 0
		s.mu.Unlock()
	}
}
