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

// TestConformanceInFolder runs it in a real folder. Syncs are left out: they are most of the time
// and nothing here is switched off.
func TestConformanceInFolder(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		fs := unsynced{realFolder(t)}
		return storetest.Harness{Open: func() (store.Store, error) {
			return embedded.Open(context.Background(), embedded.Config{
				FS: fs, Rand: rand.Reader, SegmentSize: 64 << 10, LowSpace: -1, Reserve: 64 << 10, WAL: 64 << 10,
			})
		}}
	})
}

func realFolder(t *testing.T) disk.FS {
	t.Helper()
	fs, err := disk.Dir(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// unsynced is a folder that syncs nothing.
type unsynced struct{ disk.FS }

func (u unsynced) Open(name string) (disk.File, error)   { return leaveOut(u.FS.Open(name)) }
func (u unsynced) Create(name string) (disk.File, error) { return leaveOut(u.FS.Create(name)) }
func (unsynced) SyncDir(string) error                    { return nil }

type unsyncedFile struct{ disk.File }

func (unsyncedFile) Sync() error { return nil }

func leaveOut(f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

// TestInFolder tells a story in a real folder with everything as in production but the sizes:
// syncs, background work in goroutines, reserve, restarts.
func TestInFolder(t *testing.T) {
	w := newWorld(1)
	w.config.FS, w.config.Spawn = realFolder(t), nil
	w.config.SegmentSize, w.config.Reserve = 16<<10, 64<<10
	for range 3 {
		if err := w.tell(); err != nil {
			t.Fatal(err)
		}
		if err := w.verify(); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
