package seal_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	k := keyFile(t)
	if err := k.Write(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := keyFile(t).Write(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second file over the first: %v", err)
	}
	read, err := seal.ReadKeyFile(path, rand.Reader)
	if err != nil || read.ID() != k.ID() {
		t.Fatal(err)
	}
	root := newRoot(t, storeA)
	open(t, storeA, attach(t, root, "daily", k), read)

	for _, mode := range []os.FileMode{0o640, 0o604, 0o610, 0o620, 0o601, 0o602, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.ReadKeyFile(path, rand.Reader); !errors.Is(err, seal.ErrExposed) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.ReadKeyFile(path, rand.Reader); err != nil {
		t.Errorf("mode 400: %v", err)
	}
	if _, err := seal.ReadKeyFile(filepath.Dir(path), rand.Reader); !errors.Is(err, seal.ErrKeyFile) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := seal.ReadKeyFile(path+"x", rand.Reader); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := k.Write(filepath.Join(path, "below a file")); err == nil {
		t.Error("written below a file")
	}
	k.Destroy()
	if _, err := k.Wrap(t.Context(), secret.New([]byte("x"))); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("a destroyed key file: %v", err)
	}
	if _, err := k.Unwrap(t.Context(), seal.Sealed{}); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("a destroyed key file: %v", err)
	}
}

func TestKeyFileText(t *testing.T) {
	text := string(secret.Expose(keyFile(t).Text()))
	if lines := strings.Split(text, "\n"); len(lines) != 5 || lines[0] != "haven-key-file/1" || lines[4] != "" {
		t.Fatalf("%d lines", len(lines))
	}
	dir := t.TempDir()
	bad := map[string]string{
		"empty": "", "longer": text + "\n", "much longer": strings.Repeat(text, 100), "no newline": text[:len(text)-1],
		"upper case": strings.ToUpper(text), "crlf": strings.ReplaceAll(text, "\n", "\r\n"),
	}
	for i := range text {
		b := []byte(text)
		b[i] ^= 1
		bad["byte "+string(rune('a'+i))] = string(b)
	}
	for name, s := range bad {
		if _, err := seal.ParseKeyFile(secret.New([]byte(s)), rand.Reader); !errors.Is(err, seal.ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
		path := filepath.Join(dir, "bad.key")
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.ReadKeyFile(path, rand.Reader); !errors.Is(err, seal.ErrKeyFile) {
			t.Errorf("%s in a file: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
