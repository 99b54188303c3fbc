package client

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/internal/secret"
)

// dataKey is a data key, plain and encrypted. The plain one is destroyed by whoever was given it.
type dataKey struct {
	plain     secret.Bytes
	encrypted []byte
	keyID     string
	version   uint32
	bytes     *atomic.Int64 // of plaintext, of all messages it was used for
}

// keyName is what a data key is cached under: a hash of all that the server was asked with.
type keyName [32]byte

// dataKeyCache keeps plain data keys within bounds of time, number and use. What it drops it
// destroys; and it drops what is over its time whenever it is asked for anything.
//
// Of several callers who miss the same one at once, one asks the server.
type dataKeyCache struct {
	maxAge      time.Duration
	maxKeys     int
	maxMessages int
	maxBytes    int64
	monotonic   func() time.Duration

	mu      sync.Mutex
	closed  bool
	entries map[keyName]*list.Element // of *cachedKey
	byAge   list.List                 // the oldest first
	flights map[keyName]*flight
}

type cachedKey struct {
	dataKey
	name     keyName
	asked    time.Duration // when the server was asked: it allowed the use no earlier
	messages int
}

// flight is one question to the server that others wait for too.
type flight struct {
	landed    chan struct{}
	err       error
	abandoned bool // by the caller who asked: no answer for the others
}

var errEnvelopeClosed = errors.New("client: the envelope is closed")

// get returns the data key of a name, and asks fetch for it when there is none. It counts a
// message.
func (c *dataKeyCache) get(ctx context.Context, name keyName, fetch func(context.Context) (dataKey, error)) (dataKey, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return dataKey{}, errEnvelopeClosed
		}
		if key, found := c.take(name); found {
			c.mu.Unlock()
			return key, nil
		}
		f, flying := c.flights[name]
		// Keys for one message each are nothing to wait for.
		if !flying || c.maxMessages == 1 {
			f = &flight{landed: make(chan struct{}), abandoned: true}
			c.flights[name] = f
			c.mu.Unlock()
			return c.fly(ctx, name, f, fetch)
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return dataKey{}, ctx.Err()
		case <-f.landed:
			if f.err != nil && !f.abandoned {
				return dataKey{}, f.err
			}
		}
	}
}

// fly asks the server and keeps the answer.
func (c *dataKeyCache) fly(ctx context.Context, name keyName, f *flight, fetch func(context.Context) (dataKey, error)) (key dataKey, err error) {
	asked := c.monotonic()
	// Deferred, so that a panic leaves nobody waiting.
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.flights[name] == f {
			delete(c.flights, name)
		}
		close(f.landed)
	}()
	key, err = fetch(ctx)
	f.err, f.abandoned = err, ctx.Err() != nil
	if err != nil {
		return dataKey{}, err
	}
	key.bytes = new(atomic.Int64)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.maxMessages > 1 {
		c.keep(&cachedKey{dataKey: key.clone(), name: name, asked: asked, messages: 1})
	}
	return key, nil
}

// take finds a key that may be used for one message more. Called with mu held.
func (c *dataKeyCache) take(name keyName) (dataKey, bool) {
	now := c.monotonic()
	for e := c.byAge.Front(); e != nil && now-e.Value.(*cachedKey).asked >= c.maxAge; e = c.byAge.Front() {
		c.drop(e)
	}
	e := c.entries[name]
	if e == nil {
		return dataKey{}, false
	}
	k := e.Value.(*cachedKey)
	// Its age again: an answer that was long in coming stands behind younger ones.
	if now-k.asked >= c.maxAge || k.messages >= c.maxMessages || k.bytes.Load() >= c.maxBytes {
		c.drop(e)
		return dataKey{}, false
	}
	k.messages++
	return k.clone(), true
}

// keep adds a key, and drops the oldest when there are too many. Called with mu held.
func (c *dataKeyCache) keep(k *cachedKey) {
	if e := c.entries[k.name]; e != nil {
		c.drop(e)
	}
	c.entries[k.name] = c.byAge.PushBack(k)
	if c.byAge.Len() > c.maxKeys {
		c.drop(c.byAge.Front())
	}
}

func (c *dataKeyCache) drop(e *list.Element) {
	k := c.byAge.Remove(e).(*cachedKey)
	delete(c.entries, k.name)
	k.plain.Destroy()
}

// close destroys all keys, for good.
func (c *dataKeyCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for e := c.byAge.Front(); e != nil; e = c.byAge.Front() {
		c.drop(e)
	}
}

// clone copies the plain key: the cache may destroy its own while the copy is in use.
func (k dataKey) clone() dataKey {
	k.plain = k.plain.Clone()
	return k
}
