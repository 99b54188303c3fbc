package haven_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// stopped makes a store with a few of everything in a folder, and stops it in good order.
func stopped(t *testing.T) (haven.Config, written) {
	t.Helper()
	cfg := haven.Config{DataDir: filepath.Join(t.TempDir(), "data")}
	system, err := haven.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := write(t, system)
	km := system.KeyManager()
	for i := range 12 {
		key, err := km.CreateKey(t.Context(), keys.CreateRequest{Purpose: "Test", Type: keys.Data, Alias: fmt.Sprint("alias/", i)})
		if err == nil {
			_, err = km.DisableKey(t.Context(), key.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sound(t, system)
	return cfg, w
}

// digests returns the hash of every file in a folder.
func digests(t *testing.T, folder string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		out[name] = sha256.Sum256(b)
		return err
	})
	if err != nil || len(out) < 4 {
		t.Fatalf("%d files: %v", len(out), err)
	}
	return out
}

// TestFsckChangesNothing: neither in a store that was stopped in good order, nor in one that was
// killed, which a start would repair.
func TestFsckChangesNothing(t *testing.T) {
	cfg, _ := stopped(t)
	unchanged(t, cfg)

	system, err := haven.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	write(t, system)
	killed := haven.Config{DataDir: filepath.Join(t.TempDir(), "killed")}
	if err := copyPrivate(killed.DataDir, cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	sound(t, system)
	if wal, err := os.Stat(filepath.Join(killed.DataDir, "store.db-wal")); err != nil || wal.Size() == 0 {
		t.Fatalf("nothing to repair: %v", err)
	}
	unchanged(t, killed)
}

// copyPrivate copies a data folder as one that no other user may read.
func copyPrivate(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return os.Chmod(name, 0o600)
	})
}

func unchanged(t *testing.T, cfg haven.Config) {
	t.Helper()
	before := digests(t, cfg.DataDir)
	report, err := haven.Fsck(t.Context(), cfg, nil)
	if err != nil || len(report.Findings) > 0 || report.Items == 0 {
		t.Fatalf("%+v %v", report, err)
	}
	if after := digests(t, cfg.DataDir); !maps.Equal(before, after) {
		for name := range after {
			if before[name] != after[name] {
				t.Errorf("%s was changed", filepath.Base(name))
			}
		}
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
}

// TestFsckNamesDamage flips bits all over the database, one at a time. Each is harmless, and then
// the store does all that it did, or is told.
func TestFsckNamesDamage(t *testing.T) {
	t.Parallel() // it waits for the disk most of the time
	cfg, w := stopped(t)
	database, whole := filepath.Join(cfg.DataDir, "store.db"), keep(t, cfg.DataDir)
	harmless, found, refused := 0, 0, 0
	const page = 4096
	for at := 0; at < len(whole[database]); at += page {
		for _, offset := range spread(whole[database][at:at+page], 7) {
			place := fmt.Sprintf("page %d, offset %d", at/page, offset)
			damaged := bytes.Clone(whole[database])
			damaged[at+offset] ^= 4
			whole.restore(t)
			if err := os.WriteFile(database, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := haven.Fsck(t.Context(), cfg, nil)
			if now, err := os.ReadFile(database); err != nil || !bytes.Equal(now, damaged) {
				t.Errorf("%s: fsck changed the database: %v", place, err)
			}
			if told := fmt.Sprint(report.Findings, err); strings.Contains(told, "run haven fsck") {
				t.Errorf("%s: fsck says to run fsck: %s", place, told)
			}
			switch {
			case len(report.Findings) > 0:
				found++
			case err == nil:
				harmless++
				t.Logf("%s: harmless", place)
				works(t, cfg, w, place)
			default: // as of a version that a later release may have written
				refused++
				t.Logf("%s: %v", place, err)
				if at > 0 && !errors.Is(err, gate.Locked) {
					t.Errorf("%s: it could not look: %v", place, err)
				}
			}
		}
	}
	t.Logf("%d pages: %d flips harmless, %d found, %d refused", len(whole[database])/page, harmless, found, refused)
	if found < 2*(harmless+refused) {
		t.Error("most flips are of what matters")
	}
}

// spread returns the offsets of up to n bytes that are not zero, from the first to the last.
func spread(b []byte, n int) (offsets []int) {
	var set []int
	for i, v := range b {
		if v != 0 {
			set = append(set, i)
		}
	}
	for i := 0; i < n && len(set) > 0; i++ {
		offsets = append(offsets, set[i*(len(set)-1)/(n-1)])
	}
	return slices.Compact(offsets)
}

// files is what a folder's files begin with, by name.
type files map[string][]byte

// keep reads as much of each file as a small store fills.
func keep(t *testing.T, folder string) files {
	t.Helper()
	out := files{}
	for name := range digests(t, folder) {
		if strings.HasSuffix(name, "store.reserve") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b[:min(len(b), 1<<20)]
	}
	return out
}

// restore puts back what was kept.
func (f files) restore(t *testing.T) {
	t.Helper()
	for name, b := range f {
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteAt(b, 0)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// works uses a store that a check found whole.
func works(t *testing.T, cfg haven.Config, w written, place string) {
	t.Helper()
	system, err := haven.Open(t.Context(), cfg)
	if err != nil {
		t.Errorf("%s: called whole, and does not open: %v", place, err)
		return
	}
	read(t, system, w)
	sound(t, system)
}
