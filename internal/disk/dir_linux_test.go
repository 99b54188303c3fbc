package disk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haven-health/haven/internal/disk"
)

// TestFSContract runs on the real and on the simulated disk: what holds for both.
func TestFSContract(t *testing.T) {
	stores := map[string]func(t *testing.T) disk.FS{
		"dir": func(t *testing.T) disk.FS { return must[disk.FS](t)(disk.Dir(filepath.Join(t.TempDir(), "d"))) },
		"sim": func(*testing.T) disk.FS { return disk.NewSim() },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { contract(t, open(t)) })
	}
}

func contract(t *testing.T, d disk.FS) {
	if _, err := d.Open("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open nothing: %v", err)
	}
	if err := d.Remove("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove nothing: %v", err)
	}
	if _, err := d.Create("no/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("create in no folder: %v", err)
	}
	if _, err := d.Open("../x"); err == nil {
		t.Error("a name led out of the folder")
	}
	check(t, d.MkdirAll("a/b"))
	check(t, d.MkdirAll("a/b"))
	check(t, d.SyncDir("."))
	f := must[disk.File](t)(d.Create("a/b/f"))
	check(t, f.Preallocate(10))
	write(t, f, "hello", 2)
	check(t, f.Preallocate(5))
	check(t, f.Sync())
	if size := must[int64](t)(f.Size()); size != 10 {
		t.Errorf("size %d", size)
	}
	if got := must[[]byte](t)(d.ReadFile("a/b/f", 10)); !bytes.Equal(got, []byte("\x00\x00hello\x00\x00\x00")) {
		t.Errorf("content %q", got)
	}
	if _, err := d.ReadFile("a/b/f", 9); err == nil {
		t.Error("a file over the limit was read")
	}
	check(t, f.Truncate(4))
	check(t, f.Truncate(6))
	check(t, d.Rename("a/b/f", "a/b/g"))
	check(t, d.SyncDir("a/b"))
	again := must[disk.File](t)(d.Create("a/b/g"))
	buf := make([]byte, 10)
	if n, _ := again.ReadAt(buf, 0); string(buf[:n]) != "\x00\x00he\x00\x00" {
		t.Errorf("after truncating: %q", buf[:n])
	}
	check(t, errors.Join(f.Close(), again.Close()))
	must[disk.File](t)(d.Create("a/b/c"))
	var names []string
	for _, e := range must[[]fs.DirEntry](t)(d.ReadDir("a/b")) {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != "c g" {
		t.Errorf("listing %q", names)
	}
	lock := must[interface{ Close() error }](t)(d.Lock("lock"))
	if _, err := d.Lock("lock"); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	check(t, lock.Close())
	must[any](t)(d.Lock("lock"))
	if free := must[int64](t)(d.Free()); free <= 0 {
		t.Errorf("free: %d", free)
	}
}

func TestDirRefusesWhatOthersMayRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	d := must[disk.FS](t)(disk.Dir(path))
	must[disk.File](t)(d.Create("f"))
	check(t, d.MkdirAll("sub"))
	for name, want := range map[string]fs.FileMode{"": 0o700, "f": 0o600, "sub": 0o700} {
		if info := must[fs.FileInfo](t)(os.Stat(filepath.Join(path, name))); info.Mode().Perm() != want {
			t.Errorf("%q has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	check(t, os.Chmod(filepath.Join(path, "f"), 0o640))
	if _, err := d.Open("f"); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("open a file the group may read: %v", err)
	}
	if _, err := d.Create("f"); err == nil {
		t.Error("created over a file the group may read")
	}
	check(t, os.Chmod(filepath.Join(path, "sub"), 0o755))
	if err := d.MkdirAll("sub"); err == nil {
		t.Error("took a folder all may read")
	}
	check(t, os.Chmod(path, 0o755))
	if _, err := disk.Dir(path); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("open a folder all may read: %v", err)
	}
}

func TestDirNarrowUmask(t *testing.T) {
	old := syscall.Umask(0o777)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "d")
	d, err := disk.Dir(path)
	check(t, err)
	must[disk.File](t)(d.Create("f"))
	check(t, d.MkdirAll("sub"))
	for name, want := range map[string]fs.FileMode{"": 0o700, "f": 0o600, "sub": 0o700} {
		if info := must[fs.FileInfo](t)(os.Stat(filepath.Join(path, name))); info.Mode().Perm() != want {
			t.Errorf("%q has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}
