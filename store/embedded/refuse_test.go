package embedded_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/storetest"
)

// folder is a store's folder on a simulated disk, whose files can be taken out and put back.
type folder struct {
	t    *testing.T
	sim  *disk.Sim
	body string // of what fill inserts
}

func (f folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) open() (*embedded.Store, error) {
	return embedded.Open(context.Background(), embedded.Config{
		FS: f.sim, Rand: rand.Reader, SegmentSize: 4096, LowSpace: -1, Reserve: -1, WAL: 64 << 10,
	})
}

// fill commits batches with and without changes and closes the store.
func (f folder) fill(batches int) {
	f.t.Helper()
	f.must(f.work(batches).Close())
}

// crash commits batches as fill does, and has the process killed.
func (f folder) crash(batches int) {
	f.t.Helper()
	s := f.work(batches)
	f.sim.Kill()
	_ = s.Close() // frees memory: nothing of it reaches the disk
}

// work commits batches with and without changes.
func (f folder) work(batches int) *embedded.Store {
	f.t.Helper()
	s, err := f.open()
	f.must(err)
	head, err := s.Head(context.Background())
	f.must(err)
	build := storetest.NewBuilder(head)
	for i := range batches {
		var changes []store.Change
		if i%2 == 1 {
			id := string([]byte{byte(head.Position >> 8), byte(head.Position), byte(i)})
			changes = append(changes, storetest.Put(0, 0, storetest.Item(store.KindKey, id, f.body)))
		}
		b := build.Batch(3, changes)
		f.must(s.Commit(context.Background(), b))
		build.Done(b)
	}
	return s
}

// take returns the contents of the files that belong to a side: the database's or the journal's.
func (f folder) take(database bool) map[string][]byte {
	f.t.Helper()
	files := map[string][]byte{}
	for _, dir := range []string{".", "journal", "archive"} {
		entries, err := f.sim.ReadDir(dir)
		f.must(err)
		for _, e := range entries {
			name := strings.TrimPrefix(dir+"/"+e.Name(), "./")
			if e.IsDir() || strings.HasPrefix(name, "store.db") != database || name == "store.lock" {
				continue
			}
			data, err := f.sim.ReadFile(name, 1<<30)
			f.must(err)
			files[name] = data
		}
	}
	return files
}

// put replaces one side by files taken earlier.
func (f folder) put(database bool, files map[string][]byte) {
	f.t.Helper()
	for name := range f.take(database) {
		f.must(f.sim.Remove(name))
	}
	for name, data := range files {
		file, err := f.sim.Create(name)
		f.must(err)
		_, err = file.WriteAt(data, 0)
		f.must(err)
	}
}

func newFolder(t *testing.T) folder { return folder{t: t, sim: disk.NewSim()} }

// all returns the names and contents of the whole folder.
func (f folder) all() map[string]string {
	f.t.Helper()
	files := map[string]string{}
	for _, dir := range []string{".", "journal", "archive"} {
		entries, err := f.sim.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f.must(err)
		for _, e := range entries {
			name := strings.TrimPrefix(dir+"/"+e.Name(), "./")
			if e.IsDir() {
				files[name] = "folder"
				continue
			}
			data, err := f.sim.ReadFile(name, 1<<30)
			f.must(err)
			files[name] = string(data)
		}
	}
	return files
}

// refuses opens the store, which must fail, name the side, tell what to do, and leave the folder as
// it was.
func (f folder) refuses(says string) {
	f.t.Helper()
	before := f.all()
	s, err := f.open()
	if after := f.all(); !maps.Equal(before, after) {
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if got, there := after[name]; got != before[name] {
				f.t.Errorf("the refused start changed %s (%t)", name, there)
			}
		}
		f.t.Errorf("the refused start left %q of %q", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
	if err == nil {
		f.must(s.Close())
		f.t.Fatal("opened")
	}
	if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), says) {
		f.t.Fatalf("got %v, want a refusal with %q", err, says)
	}
}

func TestRefusesARolledBackSide(t *testing.T) {
	const database, records = true, false
	f := newFolder(t)
	f.fill(20)
	oldDatabase, oldJournal := f.take(database), f.take(records)
	f.fill(20)
	newDatabase, newJournal := f.take(database), f.take(records)

	f.put(database, oldDatabase)
	f.refuses("the database was rolled back")
	f.put(records, oldJournal) // both: nobody here can tell
	f.fill(0)
	f.put(database, newDatabase)
	f.refuses("the journal was rolled back")
	f.put(records, nil)
	f.refuses("the journal was removed")
	f.put(records, newJournal)
	f.fill(2) // as they were

	f.put(database, nil)
	f.refuses("store.db is missing")
}

func TestRefusesAnotherStoresSide(t *testing.T) {
	a, b := newFolder(t), newFolder(t)
	a.fill(6)
	b.fill(6)
	a.put(false, b.take(false))
	a.refuses("different stores")
}

func TestRefusesAnotherHistory(t *testing.T) {
	f := newFolder(t)
	f.fill(2)
	database, records := f.take(true), f.take(false)
	f.fill(2)
	after := f.take(true)
	f.put(true, database)
	f.put(false, records)
	f.body = "otherwise"
	f.fill(2)
	f.put(true, after)
	f.refuses("different histories")
}

func TestRefusesGarbage(t *testing.T) {
	f := newFolder(t)
	f.fill(4)
	files := f.take(true)
	for i := range files["store.db"] {
		files["store.db"][i] ^= 0x55
	}
	f.put(true, files)
	f.refuses("store.db")
}

func TestRefusesALaterSchema(t *testing.T) {
	f := newFolder(t)
	f.fill(2)
	s, err := f.open()
	f.must(err)
	f.must(s.Exec(`PRAGMA user_version=2`))
	f.must(s.Close())
	before := f.all()
	_, err = f.open()
	if !maps.Equal(before, f.all()) {
		t.Error("the refused start changed the folder")
	}
	if err == nil || errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "later release") {
		t.Errorf("got %v", err)
	}
}

func TestRefusesASecondProcess(t *testing.T) {
	f := newFolder(t)
	s, err := f.open()
	f.must(err)
	if _, err := f.open(); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	f.must(s.Close())
	f.fill(2)
}

// A frame that says otherwise than its batch would be cut off as torn at the next start.
func TestRefusesAnotherFrame(t *testing.T) {
	f := newFolder(t)
	s, err := f.open()
	f.must(err)
	head, err := s.Head(context.Background())
	f.must(err)
	for name, spoil := range map[string]func(b *store.Batch){
		"id":         func(b *store.Batch) { b.ID[0]++ },
		"next chain": func(b *store.Batch) { b.Next.Chain[0]++ },
		"next end":   func(b *store.Batch) { b.Next.Position++ },
		"a bit":      func(b *store.Batch) { b.Frame[len(b.Frame)/2] ^= 1 },
		"changes": func(b *store.Batch) {
			it := storetest.Item(store.KindKey, "a", "")
			it.Epoch, it.Revision = b.Next.Epoch, 1
			b.Changes = []store.Change{storetest.Put(0, 0, it)}
		},
	} {
		b := storetest.NewBuilder(head).Batch(2, nil)
		spoil(b)
		if err := s.Commit(context.Background(), b); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.must(s.Close())
}

func TestFsckFinds(t *testing.T) {
	for _, test := range []struct {
		place string
		spoil func(f folder, s *embedded.Store)
	}{
		{"outbox", func(f folder, s *embedded.Store) { f.must(s.Exec(`UPDATE outbox SET frame = zeroblob(length(frame))`)) }},
		{"head", func(f folder, s *embedded.Store) { f.must(s.Exec(`UPDATE head SET chain = zeroblob(32)`)) }},
		{"head", func(f folder, s *embedded.Store) { f.must(s.Exec(`UPDATE head SET position = position - 1`)) }},
		{"database", func(f folder, s *embedded.Store) {
			f.must(s.Exec(`PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE name = 'item_due'; PRAGMA writable_schema=RESET;`))
		}},
		{"journal", func(f folder, s *embedded.Store) {
			file, err := f.sim.Open("journal/0000000000000001.seg")
			f.must(err)
			_, err = file.WriteAt([]byte{1}, 700)
			f.must(err)
		}},
	} {
		f := newFolder(t)
		f.fill(4)
		s, err := f.open()
		f.must(err)
		if found, err := s.Fsck(context.Background()); err != nil || len(found) > 0 {
			t.Fatalf("before: %v, %v", found, err)
		}
		test.spoil(f, s)
		found, err := s.Fsck(context.Background())
		if err != nil || len(found) == 0 {
			t.Errorf("%s: %v, %v", test.place, found, err)
		}
		for _, f := range found {
			if f.Place != test.place || !strings.HasPrefix(f.String(), test.place+": ") {
				t.Errorf("%s: %v", test.place, f)
			}
		}
		f.must(s.Close())
	}
}

// The outbox is emptied though no batch without changes ever syncs the segment.
func TestOutboxIsBounded(t *testing.T) {
	f := newFolder(t)
	s, err := f.open()
	f.must(err)
	head, err := s.Head(context.Background())
	f.must(err)
	build := storetest.NewBuilder(head)
	most := 0
	for i := range 300 {
		b := build.Batch(1, []store.Change{storetest.Put(0, 0, storetest.Item(store.KindKey, string([]byte{byte(i >> 8), byte(i)}), "x"))})
		f.must(s.Commit(context.Background(), b))
		build.Done(b)
		n, err := s.Owed()
		f.must(err)
		most = max(most, n)
	}
	if most > 70 || most < 2 {
		t.Errorf("the outbox held up to %d frames", most)
	}
	f.must(s.Close())
}

func TestEpochsAreForgotten(t *testing.T) {
	f := newFolder(t)
	s, err := embedded.Open(context.Background(), embedded.Config{
		FS: f.sim, Rand: rand.Reader, SegmentSize: 4096, LowSpace: -1, Reserve: -1, KeptEpochs: 5, WAL: 64 << 10,
	})
	f.must(err)
	head, err := s.Head(context.Background())
	f.must(err)
	build := storetest.NewBuilder(head)
	for range 8 {
		b := build.Batch(1, nil, store.Ref{Kind: store.KindKey, ID: "a"})
		f.must(s.Commit(context.Background(), b))
		build.Done(b)
	}
	epoch := build.Head.Epoch
	epoch.N -= 5
	if moved, err := s.Changes(context.Background(), epoch); err != nil || len(moved) != 5 {
		t.Errorf("%d epochs, %v", len(moved), err)
	}
	epoch.N--
	if _, err := s.Changes(context.Background(), epoch); !errors.Is(err, store.ErrTooOld) {
		t.Errorf("what is no longer kept: %v", err)
	}
	epoch.N = build.Head.Epoch.N + 1
	if _, err := s.Changes(context.Background(), epoch); !errors.Is(err, store.ErrTooOld) {
		t.Errorf("what is not yet: %v", err)
	}
	f.must(s.Close())
}

// Every question is answered from an index, in its order: none sorts, none reads the whole table.
func TestQuestionsUseIndexes(t *testing.T) {
	f := newFolder(t)
	s, err := f.open()
	f.must(err)
	check := func(plan string, err error) {
		t.Helper()
		f.must(err)
		if !strings.Contains(plan, "SEARCH item USING INDEX") || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN") {
			t.Errorf("plan %q", plan)
		}
	}
	for which := range store.MaxIndexes + 1 {
		for order := range 2 {
			plan, err := s.Plan(which, order)
			check(plan, err)
			if index := "item_i" + string(rune('0'+which-1)); which > 0 && !strings.Contains(plan, index) {
				t.Errorf("listing by index %d: plan %q", which-1, plan)
			}
		}
	}
	check(s.PlanDue())
	f.must(s.Close())
}
