package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/haven-health/haven/internal/disk"
)

// An overlay is what a disk of its own with the same content is, and changes nothing below.
func TestOverlayIsADiskOfItsOwn(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		below, own := disk.NewSim(), disk.NewSim()
		for range 12 {
			act(t, rng.Uint64(), below, own)
		}
		before, ops := contents(t, below), below.Ops()
		over := disk.NewOverlay(below)
		for i := range 150 {
			act(t, rng.Uint64(), over, own)
			if got, want := contents(t, over), contents(t, own); got != want {
				t.Fatalf("seed %d, step %d: got\n%s\nwant\n%s", seed, i, got, want)
			}
		}
		if err := over.Close(); err != nil {
			t.Fatal(err)
		}
		if after := contents(t, below); after != before || below.Ops() != ops {
			t.Fatalf("seed %d: below is\n%s\nwas\n%s", seed, after, before)
		}
	}
}

// act does the one thing that seed says on both, which must end alike.
func act(t *testing.T, seed uint64, a, b disk.FS) {
	t.Helper()
	var errs [2]error
	for i, on := range []disk.FS{a, b} {
		rng := rand.New(rand.NewPCG(seed, 2))
		name := func() string { return [...]string{"a", "b", "d/a", "d/b", "d/e/a"}[rng.IntN(5)] }
		switch rng.IntN(8) {
		case 0:
			errs[i] = on.MkdirAll([...]string{"d", "d/e"}[rng.IntN(2)])
		case 1:
			errs[i] = on.Remove(name())
		case 2:
			errs[i] = on.Rename("d/"+[...]string{"a", "b"}[rng.IntN(2)], "d/"+[...]string{"a", "b", "c"}[rng.IntN(3)])
		default:
			errs[i] = change(rng, on, name())
		}
	}
	if (errs[0] == nil) != (errs[1] == nil) || errors.Is(errs[0], fs.ErrNotExist) != errors.Is(errs[1], fs.ErrNotExist) {
		t.Fatalf("seed %d: %v and %v", seed, errs[0], errs[1])
	}
}

func change(rng *rand.Rand, on disk.FS, name string) error {
	f, err := on.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	at := rng.Int64N(20000)
	switch rng.IntN(6) {
	case 0:
		return f.Truncate(at)
	case 1:
		return f.Preallocate(at)
	}
	data := bytes.Repeat([]byte{byte(rng.IntN(3))}, rng.IntN(9000))
	_, err = f.WriteAt(data, at)
	return err
}

// contents tells names, sizes and bytes.
func contents(t *testing.T, on disk.FS) (text string) {
	t.Helper()
	for _, dir := range []string{".", "d", "d/e"} {
		entries, err := on.ReadDir(dir)
		if err != nil {
			text += fmt.Sprintf("%s: %v\n", dir, errors.Is(err, fs.ErrNotExist))
			continue
		}
		for _, e := range entries {
			text += fmt.Sprintf("%s/%s %v", dir, e.Name(), e.IsDir())
			if !e.IsDir() {
				text += digest(t, on, dir+"/"+e.Name())
			}
			text += "\n"
		}
	}
	return text
}

func digest(t *testing.T, on disk.FS, name string) string {
	t.Helper()
	if name[:2] == "./" {
		name = name[2:]
	}
	data, err := on.ReadFile(name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	f, err := on.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil || size != int64(len(data)) {
		t.Fatalf("%s: %d bytes, read %d, %v", name, size, len(data), err)
	}
	if n, err := f.ReadAt(make([]byte, 10), size); n != 0 || err != io.EOF {
		t.Fatalf("%s: behind the end: %d, %v", name, n, err)
	}
	sum := 0
	for i, b := range data {
		sum += int(b) * (i%251 + 1)
	}
	return fmt.Sprintf(" %d %d", size, sum)
}
