package embedded_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/storetest"
)

// spoilings are what may happen to the folder of a stopped store, and what the start says of it.
var spoilings = []struct {
	name, says string
	spoil      func(f folder)
}{
	{"no database", "store.db is missing", func(f folder) { f.must(f.sim.Remove("store.db")) }},
	{"an empty database", "store.db is missing", func(f folder) { f.write("store.db", nil) }},
	{"no database and no journal", "store.db is missing", func(f folder) {
		f.must(f.sim.Remove("store.db"))
		f.put(false, nil)
		f.write("store.db-wal", []byte{1})
	}},
	{"another's database", "", func(f folder) {
		other := newFolder(f.t)
		other.fill(6)
		f.write("store.db", other.take(true)["store.db"])
	}},
	{"another's journal", "different stores", func(f folder) {
		other := newFolder(f.t)
		other.fill(6)
		f.put(false, other.take(false))
	}},
	{"no journal", "the journal was removed", func(f folder) { f.put(false, nil) }},
	{"no segment 1", "segment 1 is missing", func(f folder) {
		for name := range f.take(false) {
			if strings.Contains(name, "0000000000000001") && name != "store.reserve" {
				f.must(f.sim.Remove(name))
			}
		}
	}},
	{"a hole in the journal", "", func(f folder) {
		for name, data := range f.take(false) {
			if strings.HasPrefix(name, "journal/") {
				copy(data[600:], make([]byte, 100))
				f.write(name, data)
			}
		}
	}},
	{"no database at all in its place", "store.db", func(f folder) { f.write("store.db", make([]byte, 8192)) }},
}

// write puts data in the place of a file.
func (f folder) write(name string, data []byte) {
	f.t.Helper()
	file, err := f.sim.Create(name)
	f.must(err)
	f.must(file.Truncate(0))
	_, err = file.WriteAt(data, 0)
	f.must(err)
}

// A refused start leaves every file as it was, so that what was wrong can be put right: then the
// store opens with all that was acknowledged.
func TestRefusedStartChangesNothing(t *testing.T) {
	for _, s := range spoilings {
		for stop, end := range map[string]func(folder, int){"stopped": folder.fill, "killed": folder.crash} {
			t.Run(s.name+"/"+stop, func(t *testing.T) {
				f := newFolder(t)
				f.fill(40)
				end(f, 9)
				whole := map[bool]map[string][]byte{true: f.take(true), false: f.take(false)}
				s.spoil(f)
				f.refuses(s.says)
				f.refuses(s.says)
				f.put(true, whole[true])
				f.put(false, whole[false])
				opened, err := f.open()
				f.must(err)
				head, err := opened.Head(t.Context())
				f.must(err)
				if head.Position != 3*49 {
					t.Errorf("%d records, acknowledged were %d", head.Position, 3*49)
				}
				f.must(opened.Close())
			})
		}
	}
}

// The same on a real disk: a database put aside after a kill and put back.
func TestMissingDatabaseOnARealDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s := openAt(t, path)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	build := storetest.NewBuilder(head)
	for _, id := range []string{"a", "b", "c"} {
		b := build.Batch(1, []store.Change{storetest.Put(0, 0, storetest.Item(store.KindKey, id, "x"))})
		if err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		build.Done(b)
	}
	killed := filepath.Join(t.TempDir(), "data")
	copyFolder(t, path, killed) // what a kill leaves: all that was written
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(t.TempDir(), "store.db")
	if err := os.Rename(filepath.Join(killed, "store.db"), aside); err != nil {
		t.Fatal(err)
	}
	before := readFolder(t, killed)
	if _, err := tryOpenAt(t, killed); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "store.db is missing") {
		t.Errorf("without the database: %v", err)
	}
	for name, data := range readFolder(t, killed) {
		if before[name] != data {
			t.Errorf("the refused start changed %s", name)
		}
		delete(before, name)
	}
	if len(before) > 0 {
		t.Errorf("the refused start removed %d files", len(before))
	}
	if err := os.Rename(aside, filepath.Join(killed, "store.db")); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, killed)
	if now, err := s.Head(t.Context()); err != nil || now != build.Head {
		t.Errorf("put back: %v, %v, want %v", now, err, build.Head)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func tryOpenAt(t *testing.T, path string) (*embedded.Store, error) {
	t.Helper()
	folder, err := disk.Dir(path)
	if err != nil {
		t.Fatal(err)
	}
	return embedded.Open(t.Context(), embedded.Config{FS: folder, Rand: rand.Reader, LowSpace: -1, Reserve: -1, WAL: 64 << 10, SegmentSize: 64 << 10})
}

func openAt(t *testing.T, path string) *embedded.Store {
	t.Helper()
	s, err := tryOpenAt(t, path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return errors.Join(err, os.Chmod(path, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readFolder(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	return files
}
