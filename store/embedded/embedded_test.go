package embedded_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/storetest"
)

// TestConformance runs the suite on the simulated disk, with segments so small that every test
// rolls them over.
func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		sim := disk.NewSim()
		return storetest.Harness{Open: func() (store.Store, error) {
			return embedded.Open(context.Background(), embedded.Config{
				FS: sim, Rand: rand.Reader, SegmentSize: 16 << 10, LowSpace: -1, Reserve: -1, WAL: 64 << 10,
			})
		}}
	})
}

// TestConformanceOnDisk runs it in a real folder, as in production.
func TestConformanceOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		fs, err := disk.Dir(filepath.Join(t.TempDir(), "data"))
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Harness{Open: func() (store.Store, error) {
			return embedded.Open(context.Background(), embedded.Config{
				FS: fs, Rand: rand.Reader, SegmentSize: 256 << 10, LowSpace: -1, Reserve: 64 << 10, WAL: 64 << 10,
			})
		}}
	})
}
