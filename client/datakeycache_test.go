package client

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haven-health/haven/internal/secret"
)

// These tests look inside: that a key was destroyed cannot be seen from outside.

func newTestCache(change func(*dataKeyCache)) *dataKeyCache {
	c := &dataKeyCache{
		maxAge: time.Minute, maxKeys: 3, maxMessages: 100, maxBytes: 1000,
		monotonic: func() time.Duration { return 0 },
		entries:   map[keyName]*list.Element{}, flights: map[keyName]*flight{},
	}
	if change != nil {
		change(c)
	}
	return c
}

// fetched counts its calls and gives keys whose first byte is the count.
type fetched struct{ calls int }

func (f *fetched) fetch(context.Context) (dataKey, error) {
	f.calls++
	return dataKey{plain: secret.New([]byte{byte(f.calls), 1, 2, 3})}, nil
}

func mustGet(t *testing.T, c *dataKeyCache, name byte, f *fetched) dataKey {
	t.Helper()
	key, err := c.get(t.Context(), keyName{name}, f.fetch)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// cached returns what the cache itself holds under a name.
func cached(t *testing.T, c *dataKeyCache, name byte) *cachedKey {
	t.Helper()
	e := c.entries[keyName{name}]
	if e == nil {
		t.Fatalf("nothing is cached under %d", name)
	}
	return e.Value.(*cachedKey)
}

// TestDroppedKeysAreDestroyed asserts so for every way out of the cache, and that what callers
// hold is theirs.
func TestDroppedKeysAreDestroyed(t *testing.T) {
	now := time.Duration(0)
	ways := map[string]func(c *dataKeyCache, f *fetched){
		"age":      func(c *dataKeyCache, f *fetched) { now += time.Minute; mustGet(t, c, 2, f) },
		"messages": func(c *dataKeyCache, f *fetched) { c.maxMessages = 1; mustGet(t, c, 1, f) },
		"bytes":    func(c *dataKeyCache, f *fetched) { c.maxBytes = 0; mustGet(t, c, 1, f) },
		"number": func(c *dataKeyCache, f *fetched) {
			for name := byte(2); name < 5; name++ {
				mustGet(t, c, name, f)
			}
		},
		"close": func(c *dataKeyCache, _ *fetched) { c.close() },
	}
	for name, drop := range ways {
		c, f := newTestCache(func(c *dataKeyCache) { c.monotonic = func() time.Duration { return now } }), &fetched{}
		given := mustGet(t, c, 1, f)
		kept := cached(t, c, 1)
		if kept.plain.Len() != 4 {
			t.Fatal("the cache holds no key")
		}
		drop(c, f)
		if kept.plain.Len() != 0 {
			t.Errorf("%s: the key was not destroyed", name)
		}
		if given.plain.Len() != 4 {
			t.Errorf("%s: the caller's copy was destroyed", name)
		}
	}
}

func TestCacheBounds(t *testing.T) {
	now := time.Duration(0)
	c, f := newTestCache(func(c *dataKeyCache) {
		c.monotonic = func() time.Duration { return now }
		c.maxMessages = 3
	}), &fetched{}
	expect := func(what string, name byte, calls int) dataKey {
		t.Helper()
		key := mustGet(t, c, name, f)
		if f.calls != calls {
			t.Fatalf("%s: asked %d times, want %d", what, f.calls, calls)
		}
		return key
	}
	expect("first", 1, 1)
	expect("second message", 1, 1)
	expect("third message", 1, 1)
	key := expect("fourth message", 1, 2)
	key.bytes.Add(999)
	expect("999 bytes", 1, 2)
	key.bytes.Add(1)
	expect("1,000 bytes", 1, 3)
	now += time.Minute - 1
	expect("just young enough", 1, 3)
	now++
	expect("too old", 1, 4)
	expect("another name", 2, 5)
	expect("a third", 3, 6)
	expect("a fourth, the first goes", 4, 7)
	expect("the second is still there", 2, 7)
	expect("the first is not", 1, 8)
	if len(c.entries) != 3 || c.byAge.Len() != 3 {
		t.Errorf("%d entries, %d in order", len(c.entries), c.byAge.Len())
	}
}

// TestAgeCountsFromAsking asserts that an answer that was long in coming is that much the older,
// also when younger ones came before it.
func TestAgeCountsFromAsking(t *testing.T) {
	now := time.Duration(0)
	c, f := newTestCache(func(c *dataKeyCache) { c.monotonic = func() time.Duration { return now } }), &fetched{}
	_, err := c.get(t.Context(), keyName{1}, func(ctx context.Context) (dataKey, error) {
		now += 40 * time.Second
		mustGet(t, c, 2, f)
		return f.fetch(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := cached(t, c, 1)
	now += 20 * time.Second
	mustGet(t, c, 1, f)
	if f.calls != 3 || kept.plain.Len() != 0 {
		t.Errorf("asked %d times; a minute after it was asked for a key is used", f.calls)
	}
	mustGet(t, c, 2, f)
	if f.calls != 3 {
		t.Error("the younger one went with it")
	}
}

// TestNothingIsKept asserts that one message for a key leaves nothing behind and waits for nobody.
func TestNothingIsKept(t *testing.T) {
	c, f := newTestCache(func(c *dataKeyCache) { c.maxMessages = 1 }), &fetched{}
	_, err := c.get(t.Context(), keyName{1}, func(ctx context.Context) (dataKey, error) {
		mustGet(t, c, 1, f) // would wait for itself
		return f.fetch(ctx)
	})
	if err != nil || f.calls != 2 || len(c.entries) != 0 || len(c.flights) != 0 {
		t.Errorf("%v; asked %d times, %d kept", err, f.calls, len(c.entries))
	}
}

// crowd lets many ask for one name at once, of which the first waits for release.
type crowd struct {
	cache   *dataKeyCache
	calls   atomic.Int32
	release chan error // the answer of a call
	failed  atomic.Int32
	wait    sync.WaitGroup
}

func newCrowd() *crowd {
	return &crowd{cache: newTestCache(nil), release: make(chan error)}
}

func (c *crowd) join(ctx context.Context, n int) {
	for range n {
		c.wait.Go(func() {
			key, err := c.cache.get(ctx, keyName{1}, func(ctx context.Context) (dataKey, error) {
				c.calls.Add(1)
				select {
				case err := <-c.release:
					return dataKey{plain: secret.New(make([]byte, 4))}, err
				case <-ctx.Done():
					return dataKey{}, ctx.Err()
				}
			})
			if err != nil {
				c.failed.Add(1)
			} else if key.plain.Len() != 4 {
				panic("no key")
			}
		})
	}
	synctest.Wait()
}

func (c *crowd) expect(t *testing.T, calls, failed int32) {
	t.Helper()
	c.wait.Wait()
	if c.calls.Load() != calls || c.failed.Load() != failed || len(c.cache.flights) != 0 {
		t.Errorf("asked %d times, want %d; %d failed, want %d; %d flights", c.calls.Load(), calls, c.failed.Load(), failed, len(c.cache.flights))
	}
}

// TestOneAsksForAll asserts that of many who miss a key at once one asks, and what the others do
// with its answer, failure or departure.
func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.join(t.Context(), 50)
		c.release <- nil
		c.expect(t, 1, 0)
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.join(t.Context(), 50)
		c.release <- errors.New("refused")
		c.expect(t, 1, 50)
	})
	// The one who asks goes away: another asks, and nobody else is told.
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		ctx, cancel := context.WithCancel(t.Context())
		c.join(ctx, 1)
		c.join(t.Context(), 50)
		cancel()
		synctest.Wait()
		c.release <- nil
		c.expect(t, 2, 1)
	})
	// Those who wait may go away too.
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.join(t.Context(), 1)
		ctx, cancel := context.WithCancel(t.Context())
		c.join(ctx, 50)
		cancel()
		synctest.Wait()
		c.release <- nil
		c.expect(t, 1, 50)
	})
	// Closed meanwhile: who asked gets the answer, and it is not kept.
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		c.join(t.Context(), 2)
		c.cache.close()
		c.release <- nil
		c.expect(t, 1, 1)
		if len(c.cache.entries) != 0 {
			t.Error("a closed cache keeps a key")
		}
	})
}

// TestPanicLeavesNobodyWaiting asserts that a panic below, as in Config.Wrap, is only its caller's.
func TestPanicLeavesNobodyWaiting(t *testing.T) {
	c, f := newTestCache(nil), &fetched{}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = c.get(t.Context(), keyName{1}, func(context.Context) (dataKey, error) { panic("below") })
	}()
	mustGet(t, c, 1, f)
}
