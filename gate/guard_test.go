package gate_test

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/haven-health/haven/gate"
)

// TestSetHash: the hash of the access set depends on what is in it, not on the order it came in, and
// taking out undoes putting in.
func TestSetHash(t *testing.T) {
	mac := func(b []byte) [32]byte { return sha256.Sum256(append([]byte("key"), b...)) }
	high := func(b []byte) [32]byte { return [32]byte(bytes.Repeat([]byte{0xff}, 32)) } // every sum carries
	for name, mac := range map[string]gate.MAC{"random": mac, "carries": high} {
		rng := rand.New(rand.NewPCG(1, 1))
		for range 500 {
			items := make([][32]byte, 1+rng.IntN(8))
			for i := range items {
				items[i] = sha256.Sum256([]byte{byte(rng.IntN(4)), byte(rng.IntN(256))})
			}
			var set [32]byte
			for _, item := range items {
				set = gate.AddToSet(set, item, mac)
			}
			rng.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			var other [32]byte
			for _, item := range items {
				other = gate.AddToSet(other, item, mac)
			}
			if set != other {
				t.Fatalf("%s: the order matters", name)
			}
			for i, item := range items {
				if set == ([32]byte{}) {
					t.Fatalf("%s: empty after %d of %d", name, i, len(items))
				}
				set = gate.RemoveFromSet(set, item, mac)
			}
			if set != ([32]byte{}) {
				t.Fatalf("%s: not empty when all is taken out", name)
			}
		}
	}
	a, b := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	hashes := [][32]byte{
		{}, gate.AddToSet([32]byte{}, a, mac), gate.AddToSet([32]byte{}, b, mac),
		gate.AddToSet(gate.AddToSet([32]byte{}, a, mac), a, mac), gate.AddToSet(gate.AddToSet([32]byte{}, a, mac), b, mac),
	}
	for i, h := range hashes {
		if slices.Index(hashes, h) != i {
			t.Errorf("two different sets have the hash %x", h)
		}
	}
}
