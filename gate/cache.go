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
	first  [32]print // room for an ordinary operation without an allocation
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
	// Of a composed value: what else it rests on, and as of which epoch.
	rests []print
	epoch uint64
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
	return c.GetComposed(ctx, r, key, func(ctx context.Context, key K) (V, Rests, error) {
		value, epoch, err := load(ctx, key)
		return value, Rests{Epoch: epoch}, err
	})
}

// Rests is what a composed value rests on beside the item that it is cached by: the items, and the
// epoch of the earliest snapshot that any of it was read from.
type Rests struct {
	On    []store.Ref
	Epoch store.Epoch
}

// GetComposed is Get for a value that is made of several items: a change of any of them is met
// as a change of the first is. All of them are noted in r.
func (c *Cache[K, V]) GetComposed(ctx context.Context, r *Reading, key K, load func(context.Context, K) (V, Rests, error)) (V, error) {
	p := c.view.recent.printOf(c.kind, c.id(r.id[:0], key))
	r.add(p)
	s := &c.shards[p%shards]
	if value, ok := c.held(s, p, key, r); ok {
		return value, nil
	}
	_, undone := c.view.recent.takenBack()
	value, rests, err := load(ctx, key)
	if err != nil {
		for _, ref := range rests.On { // a refusal rests on them as well
			r.add(c.view.recent.print(ref))
		}
		return value, err
	}
	e := &cached[K, V]{key: key, value: value, print: p, used: true}
	for _, ref := range rests.On {
		e.rests = append(e.rests, c.view.recent.print(ref))
	}
	r.prints = append(r.prints, e.rests...)
	r.lower(rests.Epoch.N)
	e.epoch = r.epoch
	c.fill(s, e, r.epoch, undone)
	return value, nil
}

// held returns the value of key if it is held and what it was made of was not touched since, and
// notes that in r.
func (c *Cache[K, V]) held(s *cacheShard[K, V], p print, key K, r *Reading) (value V, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.items[p]
	if e == nil || e.key != key {
		return value, false
	}
	if len(e.rests) > 0 {
		if c.view.recent.since(e.epoch, e.rests) && !fault.Mutant("stale-composition-used") {
			c.drop(s, e)
			return value, false
		}
		r.prints = append(r.prints, e.rests...)
	}
	e.used = true
	return e.value, true // drop clears it
}

// fill keeps a loaded value unless a change of it was applied after epoch. That is the reading's,
// not the snapshot's: between a commit and its being applied, the item is new and the stops that
// it lifts still stand. Nor is a value kept when a staged change was taken back meanwhile: the
// load may have met its stops.
func (c *Cache[K, V]) fill(s *cacheShard[K, V], e *cached[K, V], epoch, undone uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, now := c.view.recent.takenBack()
	if fault.Mutant("load-of-undone-kept") {
		now = undone
	}
	stale := now != undone || c.view.recent.since(epoch, []print{e.print}) || c.view.recent.since(epoch, e.rests)
	if stale && !fault.Mutant("stale-fill-installed") {
		return
	}
	if old := s.items[e.print]; old != nil {
		c.drop(s, old)
	}
	s.items[e.print] = e
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
