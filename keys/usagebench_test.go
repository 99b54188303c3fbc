package keys_test

import (
	"testing"

	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
)

// BenchmarkFold is the cost of counting one use.
func BenchmarkFold(b *testing.B) {
	w := gatetest.New(b)
	k, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "busy", Type: keys.Data})
	if err != nil {
		b.Fatal(err)
	}
	items := make([]keys.BatchItem, 1000)
	for i := range items {
		items[i].Encrypt = &keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")}
	}
	for range 50 {
		if _, err := w.KeyManager().Batch(background, items); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		fresh := keys.NewCounts(w.Gate().View())
		b.StartTimer()
		if err := fresh.Fold(background); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/record")
}
