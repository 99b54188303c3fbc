package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/storetest"
)

// An older store.db beside the write-ahead log of a killed process, or an older log beside the
// database, is refused, or is as good as what was there: nothing that was acknowledged is missing.
func TestRefusesAnotherTimesFile(t *testing.T) {
	var tried, refused int
	for seed := range uint64(40) {
		w := newWorld(seed)
		images := w.photograph(t)
		last := images[len(images)-1]
		for i, image := range images {
			for _, name := range []string{"store.db", "store.db-wal"} {
				mixed := map[string][]byte{}
				for n, data := range last {
					mixed[n] = data
				}
				delete(mixed, name)
				if data, there := image[name]; there {
					mixed[name] = data
				}
				tried++
				err := w.reopenAs(t, mixed)
				if errors.Is(err, store.ErrCorrupt) {
					refused++
				} else if err != nil {
					t.Fatalf("seed %d: %s of moment %d of %d: %v", seed, name, i, len(images), err)
				}
			}
		}
	}
	if refused < tried/2 {
		t.Errorf("%d of %d were refused: the story shows little", refused, tried)
	}
}

// photograph has the store at work, stopped and started at times, and killed at the end. It returns
// what the folder was at some moments, the last one at the end.
func (w *world) photograph(t *testing.T) (images []map[string][]byte) {
	t.Helper()
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	for step := range 60 {
		if err := w.act(); err != nil {
			t.Fatal(err)
		}
		if step%12 == 11 {
			images = append(images, imageOf(t, w.sim))
		}
		if w.rng.IntN(20) == 0 {
			if err := w.store.Close(); err != nil {
				t.Fatal(err)
			}
			if err := w.open(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 { // so that the log holds something
		b := w.build.Batch(1, []store.Change{storetest.Put(0, 0, storetest.Item(store.KindKey, fmt.Sprint("last-", len(w.acked)), "x"))})
		if err := w.commit(b); err != nil {
			t.Fatal(err)
		}
	}
	images = append(images, imageOf(t, w.sim))
	w.sim.Kill()
	w.abandon()
	return images
}

func imageOf(t *testing.T, sim *disk.Sim) map[string][]byte {
	t.Helper()
	f := folder{t: t, sim: sim}
	files := f.take(true)
	for name, data := range f.take(false) {
		files[name] = data
	}
	return files
}

// reopenAs opens the store on a disk with these files, and compares it with what must be there.
func (w *world) reopenAs(t *testing.T, files map[string][]byte) error {
	t.Helper()
	other := *w
	other.sim = disk.NewSim()
	other.config.FS = other.sim
	f := folder{t: t, sim: other.sim}
	for _, dir := range []string{"journal", "archive"} {
		f.must(other.sim.MkdirAll(dir))
	}
	for name, data := range files {
		f.write(name, data)
	}
	if err := other.open(); err != nil {
		return err
	}
	defer other.abandon()
	return other.verify()
}

// The same on a real disk, as an operator may come to do it: the copy of a clean stop is put back
// after a kill.
func TestRefusesTheCopyOfACleanStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s := openAt(t, path)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	build := storetest.NewBuilder(head)
	work := func(batches int) {
		t.Helper()
		for i := range batches {
			b := build.Batch(1, []store.Change{storetest.Put(0, 0, storetest.Item(store.KindKey, fmt.Sprint(build.Head.Position, i), "x"))})
			if err := s.Commit(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			build.Done(b)
		}
	}
	restart := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, path)
	}
	work(5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(path, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	work(9)
	restart()
	work(1)
	killed := filepath.Join(t.TempDir(), "data")
	copyFolder(t, path, killed)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(filepath.Join(killed, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(killed, "store.db"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(old)
	for range 2 {
		if _, err := tryOpenAt(t, killed); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "another copy") {
			t.Errorf("the copy of the clean stop: %v", err)
		}
	}
	put(now)
	s = openAt(t, killed)
	if head, err := s.Head(t.Context()); err != nil || head != build.Head {
		t.Errorf("put back: %v, %v", head, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
