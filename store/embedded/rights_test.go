package embedded_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
)

// TestFilesOpenToOthersAreNotAFailedDisk: the operator is told to mend rights, not to look at the
// disk.
func TestFilesOpenToOthersAreNotAFailedDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	open := func() (*embedded.Store, error) {
		folder, err := disk.Dir(path)
		if err != nil {
			t.Fatal(err)
		}
		return embedded.Open(t.Context(), embedded.Config{FS: folder, Rand: rand.Reader, LowSpace: -1, Reserve: -1})
	}
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(path, "store.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err = open()
	if err == nil {
		s.Close()
	}
	if err == nil || errors.Is(err, store.ErrFailed) || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a database open to others: %v", err)
	}
}
