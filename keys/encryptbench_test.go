package keys_test

import (
	"testing"

	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
)

// BenchmarkEncrypt encrypts for a context, by a reference that is an alias: what a decision costs
// shows in its allocations.
func BenchmarkEncrypt(b *testing.B) {
	w := gatetest.New(b)
	km := w.KeyManager()
	if _, err := km.CreateKey(background, keys.CreateRequest{Purpose: "Patient data", Type: keys.Data, Alias: "alias/records"}); err != nil {
		b.Fatal(err)
	}
	c, err := keys.ContextOf(map[string]string{"patient": "17"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := km.Encrypt(background, keys.EncryptRequest{Key: "alias/records", Plaintext: []byte("hello"), Context: c}); err != nil {
			b.Fatal(err)
		}
	}
}
