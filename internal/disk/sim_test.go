package disk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/haven-health/haven/internal/disk"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f disk.File, text string, off int64) {
	t.Helper()
	if _, err := f.WriteAt([]byte(text), off); err != nil {
		t.Fatal(err)
	}
}

// outcomes cuts the power after story under many seeds and counts what a reader then finds.
func outcomes(t *testing.T, story func(s *disk.Sim), read func(s *disk.Sim) string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for seed := range uint64(400) {
		s := disk.NewSim()
		story(s)
		s.PowerCut(rand.New(rand.NewPCG(seed, 1)))
		found[read(s)]++
	}
	return found
}

func content(t *testing.T, name string) func(s *disk.Sim) string {
	return func(s *disk.Sim) string {
		data, err := s.ReadFile(name, 1<<20)
		if errors.Is(err, fs.ErrNotExist) {
			return "none"
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func expect(t *testing.T, found map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if found[w] == 0 {
			t.Errorf("never found %q", w)
		}
		delete(found, w)
	}
	if len(found) != 0 {
		t.Errorf("also found %v", found)
	}
}

func TestSimKeepsWhatWasSynced(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		f := must[disk.File](t)(s.Create("a"))
		write(t, f, "synced", 0)
		check(t, f.Sync())
		check(t, s.SyncDir("."))
	}, content(t, "a"))
	expect(t, found, "synced")
}

func TestSimLosesWhatWasNot(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		f := must[disk.File](t)(s.Create("a"))
		check(t, s.SyncDir("."))
		write(t, f, "old", 0)
		check(t, f.Sync())
		write(t, f, "new", 0)
	}, content(t, "a"))
	expect(t, found, "old", "new")
}

func TestSimLosesNamesNotSynced(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		f := must[disk.File](t)(s.Create("a"))
		write(t, f, "x", 0)
		check(t, f.Sync())
	}, content(t, "a"))
	expect(t, found, "x", "none")
}

func TestSimTearsAndReordersSectors(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		f := must[disk.File](t)(s.Create("a"))
		write(t, f, string(make([]byte, 1024)), 0)
		check(t, f.Sync())
		check(t, s.SyncDir("."))
		write(t, f, string(bytes.Repeat([]byte("x"), 1024)), 0)
	}, func(s *disk.Sim) string {
		data := must[[]byte](t)(s.ReadFile("a", 1<<20))
		return string([]byte{'0' + data[0]/'x', '0' + data[511]/'x', '0' + data[512]/'x', '0' + data[1023]/'x'})
	})
	expect(t, found, "0000", "1111", "1100", "0011")
}

func TestSimRenameIsAtomic(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		for _, name := range []string{"a", "b"} {
			f := must[disk.File](t)(s.Create(name))
			write(t, f, name, 0)
			check(t, f.Sync())
		}
		check(t, s.SyncDir("."))
		check(t, s.Rename("a", "b"))
	}, func(s *disk.Sim) string { return content(t, "a")(s) + content(t, "b")(s) })
	expect(t, found, "ab", "nonea")
}

func TestSimRemovedNamesMayComeBack(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		check(t, s.MkdirAll("d"))
		check(t, s.SyncDir("."))
		f := must[disk.File](t)(s.Create("d/a"))
		write(t, f, "x", 0)
		check(t, f.Sync())
		check(t, s.SyncDir("d"))
		check(t, s.Remove("d/a"))
	}, content(t, "d/a"))
	expect(t, found, "x", "none")
}

func TestSimLosesFoldersWithWhatIsBelow(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		check(t, s.MkdirAll("d"))
		f := must[disk.File](t)(s.Create("d/a"))
		write(t, f, "x", 0)
		check(t, f.Sync())
		check(t, s.SyncDir("d"))
	}, content(t, "d/a"))
	expect(t, found, "x", "none")
}

// A failed sync drops what it was to make durable, although reads see it and the next sync says
// that all is well.
func TestSimFailedSyncLosesForGood(t *testing.T) {
	found := outcomes(t, func(s *disk.Sim) {
		f := must[disk.File](t)(s.Create("a"))
		check(t, s.SyncDir("."))
		write(t, f, "lost", 0)
		failed := false
		s.SetHook(func(op disk.Op) disk.Fault {
			if op.Kind == disk.OpSync && !failed {
				failed = true
				return disk.Fault{Err: errors.New("EIO")}
			}
			return disk.Fault{}
		})
		if err := f.Sync(); !errors.Is(err, disk.ErrFailed) {
			t.Fatalf("failed sync: %v", err)
		}
		check(t, f.Sync())
		if got := content(t, "a")(s); got != "lost" {
			t.Fatalf("before the cut: %q", got)
		}
	}, content(t, "a"))
	expect(t, found, "")
}

func TestSimPowerCutKillsWhatWasOpen(t *testing.T) {
	s := disk.NewSim()
	f := must[disk.File](t)(s.Create("a"))
	lock := must[any](t)(s.Lock("lock"))
	if _, err := s.Lock("lock"); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	s.CutPowerAt(s.Ops() + 1)
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, disk.ErrPowerCut) || !errors.Is(err, disk.ErrFailed) {
		t.Fatalf("write at the cut: %v", err)
	}
	if _, err := s.Open("a"); !errors.Is(err, disk.ErrPowerCut) {
		t.Fatalf("open after the cut: %v", err)
	}
	s.PowerCut(rand.New(rand.NewPCG(1, 1)))
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, disk.ErrPowerCut) {
		t.Fatalf("old file in a new life: %v", err)
	}
	must[any](t)(s.Lock("lock"))
	_ = lock
}

func TestSimCapacity(t *testing.T) {
	s := disk.NewSim()
	s.SetCapacity(10)
	f := must[disk.File](t)(s.Create("a"))
	check(t, f.Preallocate(8))
	if _, err := f.WriteAt(make([]byte, 3), 8); !errors.Is(err, disk.ErrNoSpace) {
		t.Fatalf("write past the capacity: %v", err)
	}
	write(t, f, "12345678", 0)
	if free := must[int64](t)(s.Free()); free != 2 {
		t.Fatalf("free: %d", free)
	}
	check(t, f.Truncate(4))
	if free := must[int64](t)(s.Free()); free != 6 {
		t.Fatalf("free after truncating: %d", free)
	}
	check(t, s.Remove("a"))
	if free := must[int64](t)(s.Free()); free != 10 {
		t.Fatalf("free after removing: %d", free)
	}
}
