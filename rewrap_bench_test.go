package haven_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/keys"
)

// BenchmarkRewrap rotates a master key of 10,000 children and wraps all of them anew, on a real disk,
// as fast as it can: in the background it pauses as long as it works.
func BenchmarkRewrap(b *testing.B) {
	const children, creators = 10_000, 64
	s, err := haven.Open(b.Context(), haven.Config{DataDir: filepath.Join(b.TempDir(), "store")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	km := s.KeyManager()
	var creating sync.WaitGroup
	for range creators {
		creating.Go(func() {
			for range children/creators + 1 {
				if _, err := km.CreateKey(b.Context(), keys.CreateRequest{Purpose: "is wrapped", Type: keys.Data}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	creating.Wait()
	release := s.HoldRewrapping()
	before := s.Gate().Counters().Records
	for b.Loop() {
		if _, err := km.RotateKey(b.Context(), "alias/haven-master"); err != nil {
			b.Fatal(err)
		}
		release()
		if err := s.Rewrap(b.Context()); err != nil {
			b.Fatal(err)
		}
		release = s.HoldRewrapping()
	}
	release()
	b.ReportMetric(float64(s.Gate().Counters().Records-before)/float64(b.N), "records/op")
	b.ReportMetric(float64(b.N*children)/b.Elapsed().Seconds(), "versions/s")
}
