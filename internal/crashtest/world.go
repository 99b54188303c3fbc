package crashtest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/haven-health/haven/gate"
)

// world is what the clients of a round know together.
type world struct {
	mu      sync.Mutex
	keys    []*key
	byID    map[gate.ID]*key
	pending []*attempt // keys whose creation was never answered
	written []ciphertext
	count   uint64
}

func newWorld() *world { return &world{byID: map[gate.ID]*key{}} }

// ciphertext is one that was returned, with what it must decrypt to.
type ciphertext struct {
	bytes   []byte
	key     *key
	version uint32
	plain   []byte
	number  uint64 // stands in its encryption context
}

func (w *ciphertext) context() map[string]string {
	return map[string]string{"drill": fmt.Sprint(w.number)}
}

// plaintext is a text that can be told from all others.
func plaintext(number uint64) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, number))
	return sum[:]
}

// add takes a key that was created.
func (w *world) add(id gate.ID, owner int) *key {
	k := &key{id: id, owner: owner, life: newLife(), touched: true, done: map[uint16]int{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = append(w.keys, k)
	w.byID[id] = k
	return k
}

// recent returns one of the keys, the newest more often.
func (w *world) recent(rng *rand.Rand) *key {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.keys)
	if n == 0 {
		return nil
	}
	if newest := 12; n > newest && rng.IntN(8) != 0 {
		return w.keys[n-newest+rng.IntN(newest)]
	}
	return w.keys[rng.IntN(n)]
}

// number returns the next number.
func (w *world) number() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	return w.count
}

func (w *world) keep(c ciphertext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = append(w.written, c)
}

// old returns some ciphertext, or false while there is none.
func (w *world) old(rng *rand.Rand) (ciphertext, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.written) == 0 {
		return ciphertext{}, false
	}
	// The newest half of the time: its key is likely under change.
	if n := min(64, len(w.written)); rng.IntN(2) == 0 {
		return w.written[len(w.written)-1-rng.IntN(n)], true
	}
	return w.written[rng.IntN(len(w.written))], true
}
