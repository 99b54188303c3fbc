package crashtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

// The clients of a cycle. Each key has one manager, so that what is expected of it is known; users
// use everybody's.
const (
	managers     = 4
	users        = 10
	fillers      = 3  // in place of as many users, where the journal is to fill up
	keysOfAnyone = 40 // a manager creates no more in a round
)

func versionName(id gate.ID, version uint32) string { return fmt.Sprintf("%s@%d", id, version) }

// load lets clients call until stop is closed or the server ends; heavy has some of them fill the
// journal. It returns when all of them have stopped.
func (r *round) load(p *process, stop <-chan struct{}, heavy bool) error {
	var crowd sync.WaitGroup
	var callers []*caller
	start := func(work func(*caller) bool) error {
		c, err := newCaller(p.cfg, r, rand.New(rand.NewPCG(r.rng.Uint64(), 0)))
		if err != nil {
			return err
		}
		callers = append(callers, c)
		crowd.Go(func() {
			defer c.api.Close()
			for work(c) {
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		return nil
	}
	var err error
	for i := 0; i < managers && err == nil; i++ {
		err = start(func(c *caller) bool { return r.manage(c, i) })
	}
	for i := 0; i < users && err == nil; i++ {
		work := r.use
		if heavy && i < fillers {
			work = r.fill
		}
		err = start(work)
	}
	crowd.Wait()
	for _, c := range callers {
		r.history = append(r.history, c.calls...)
	}
	return err
}

// manage changes one of the manager's own keys, or creates one. It returns false once a call was
// not answered.
func (r *round) manage(c *caller, owner int) bool {
	var own []*key
	r.world.mu.Lock()
	for _, k := range r.world.keys {
		if k.owner == owner {
			own = append(own, k)
		}
	}
	r.world.mu.Unlock()
	if len(own) == 0 || len(own) < keysOfAnyone && c.rng.IntN(12) == 0 {
		return r.create(c, owner, &attempt{idempotency: c.newIdempotency()})
	}
	newest := min(len(own), 5)
	k := own[len(own)-1-c.rng.IntN(newest)]
	k.mu.Lock()
	todo, possible := k.life.draw(c.rng)
	unknown := k.pending != nil
	k.mu.Unlock()
	if !possible || unknown {
		return true
	}
	return r.change(c, k, &attempt{change: todo, idempotency: c.newIdempotency()})
}

// create creates a key; one whose answer does not come is asked for again after the restart.
func (r *round) create(c *caller, owner int, a *attempt) bool {
	_, line, answered := c.create(a)
	switch {
	case !answered || perhaps(line.code):
		r.world.mu.Lock()
		r.world.pending = append(r.world.pending, a)
		r.world.mu.Unlock()
		return answered
	case line.code == client.NoSpace, line.code == client.Contended:
		return true
	case !line.done():
		r.violated("write", "create-key was refused: %s (request %s)", line.code, line.request)
		return true
	}
	r.world.add(line.key, owner)
	return true
}

// perhaps tells whether a refusal leaves open what was done.
func perhaps(code client.Code) bool { return code == client.Unavailable || code == client.Internal }

// change makes a change of a key; one whose answer does not come stays pending.
func (r *round) change(c *caller, k *key, a *attempt) bool {
	k.mu.Lock()
	k.pending, k.touched = a, true
	k.mu.Unlock()
	k.lifting(a.change, c.now())
	doc, line, answered := c.change(k, a)
	switch {
	case !answered || perhaps(line.code):
		return answered
	case line.code == client.Contended, line.code == client.NoSpace:
		r.settled(k)
		k.seenStopped(line.answered)
		return true
	case !line.done():
		r.settled(k)
		r.suspect(k.id)
		r.violated("write", "%s of key %s was refused: %s (request %s)", a.change, k.id, line.code, line.request)
		return true
	}
	r.settled(k)
	k.acknowledged(a.change, line.answered)
	r.compare(k, doc)
	return true
}

func (r *round) settled(k *key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = nil
}

// compare compares a key's document with what is expected of it.
func (r *round) compare(k *key, doc *client.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.life
	if doc.Version != l.primary || int(doc.Versions) != len(l.versions) || doc.Enabled != l.usable() || doc.DeletionDate.IsZero() == l.deleting {
		r.suspect(k.id)
		r.violated("write", "key %s has primary %d of %d versions, enabled %v, deletion %v; expected %+v",
			k.id, doc.Version, doc.Versions, doc.Enabled, doc.DeletionDate, l)
	}
}

// use encrypts, decrypts or makes a data key, with any key in any state.
func (r *round) use(c *caller) bool {
	k := r.world.recent(c.rng)
	if k == nil {
		_, answered := c.do(call{op: gate.GenerateRandom}, func() error {
			_, err := c.api.GenerateRandom(context.Background(), 8)
			return err
		})
		return answered
	}
	switch n := c.rng.IntN(10); {
	case n < 4:
		return r.encrypt(c, k)
	case n < 6:
		return r.dataKey(c, k)
	case n < 9:
		if old, any := r.world.old(c.rng); any {
			return r.decrypt(c, &old)
		}
		return true
	}
	_, answered := c.do(call{op: gate.DescribeKey, key: k.id}, func() error {
		_, err := c.api.DescribeKey(context.Background(), k.id.String())
		return err
	})
	return answered
}

// reference names a key, sometimes one of its versions.
func (k *key) reference(rng *rand.Rand) (name string, named bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if rng.IntN(4) == 0 {
		return versionName(k.id, 1+uint32(rng.IntN(len(k.life.versions)))), true
	}
	return k.id.String(), false
}

func (r *round) encrypt(c *caller, k *key) bool {
	name, named := k.reference(c.rng)
	w := ciphertext{key: k, number: r.world.number()}
	w.plain = plaintext(w.number)
	var answer *client.EncryptResponse
	line, answered := c.do(call{op: gate.Encrypt, key: k.id, named: named}, func() (err error) {
		answer, err = c.api.Encrypt(context.Background(), client.EncryptRequest{Key: name, Plaintext: w.plain, Context: w.context()})
		return err
	})
	if line.done() {
		w.bytes, w.version, line.version = answer.Ciphertext, answer.Version, answer.Version
		r.world.keep(w)
	}
	return answered
}

func (r *round) dataKey(c *caller, k *key) bool {
	name, named := k.reference(c.rng)
	w := ciphertext{key: k, number: r.world.number()}
	var answer *client.GenerateDataKeyResponse
	line, answered := c.do(call{op: gate.GenerateDataKey, key: k.id, named: named}, func() (err error) {
		answer, err = c.api.GenerateDataKey(context.Background(), client.GenerateDataKeyRequest{Key: name, Context: w.context()})
		return err
	})
	if line.done() {
		w.bytes, w.plain, w.version, line.version = answer.Ciphertext, answer.Plaintext, answer.Version, answer.Version
		r.world.keep(w)
	}
	return answered
}

func (r *round) decrypt(c *caller, w *ciphertext) bool {
	var answer *client.DecryptResponse
	line, answered := c.do(call{op: gate.Decrypt, key: w.key.id, version: w.version}, func() (err error) {
		answer, err = c.api.Decrypt(context.Background(), client.DecryptRequest{Ciphertext: w.bytes, Context: w.context()})
		return err
	})
	if line.done() && !bytes.Equal(answer.Plaintext, w.plain) {
		r.violated("ciphertext", "number %d of key %s decrypted to something else", w.number, w.key.id)
	}
	return answered
}

// fill fills the journal: a batch leaves a record for each of its items.
func (r *round) fill(c *caller) bool {
	old, any := r.world.old(c.rng)
	if !any {
		return true
	}
	items := make([]client.BatchItem, client.MaxBatch)
	for i := range items {
		items[i].Decrypt = &client.DecryptRequest{Ciphertext: old.bytes, Context: old.context()}
	}
	_, answered := c.do(call{op: gate.Batch, items: len(items)}, func() error {
		_, err := c.api.Batch(context.Background(), items)
		return err
	})
	return answered
}
