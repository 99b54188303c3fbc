package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/clock"
)

// TestWriteWhole asserts that a file appears only once it is whole, and replaces none, also one that
// came meanwhile.
func TestWriteWhole(t *testing.T) {
	a, dir := new(app), t.TempDir()
	out := filepath.Join(dir, "out")
	names := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	broken := errors.New("broken")
	err := a.writeWhole(out, func(w io.Writer) error {
		_, err := w.Write([]byte("half"))
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) || len(names()) != 0 {
		t.Errorf("%v; left behind: %v", err, names())
	}
	err = a.writeWhole(out, func(w io.Writer) error {
		if _, err := os.Stat(out); err == nil {
			t.Error("the file is there before it is whole")
		}
		_, err := w.Write([]byte("whole"))
		return err
	})
	if got, readErr := os.ReadFile(out); err != nil || readErr != nil || string(got) != "whole" || len(names()) != 1 {
		t.Errorf("%q, %v, %v; there is %v", got, err, readErr, names())
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, write := range map[string]func(io.Writer) error{
		"out":   func(io.Writer) error { return nil },
		"later": func(io.Writer) error { return os.WriteFile(filepath.Join(dir, "later"), []byte("theirs"), 0o600) },
	} {
		if err := a.writeWhole(filepath.Join(dir, name), write); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "later")); string(got) != "theirs" || len(names()) != 2 {
		t.Errorf("replaced by %q, %v; there is %v", got, err, names())
	}
}

// TestInterrupted asserts that a command that waits for input ends when it is told to, and that an
// input that ends because of that is not taken for whole.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	waits, filling := io.Pipe()
	m, err := (&app{stdin: waits}).open(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	reading := make(chan struct{})
	err = untilDone(ctx, func() error {
		go func() { <-reading; cancel() }()
		close(reading)
		_, err := io.ReadAll(m)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := filling.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("an end that came with the interruption: %v", err)
	}
}

// TestMeter asserts what a person who waits is shown: nothing for a second, then five lines a
// second, each over the last.
func TestMeter(t *testing.T) {
	now := clock.NewManual(time.Unix(0, 0))
	var shown bytes.Buffer
	m := &meter{Reader: bytes.NewReader(make([]byte, 10<<20)), closer: io.NopCloser(nil), ctx: t.Context(), total: 10 << 20, draw: &shown, now: now.Monotonic}
	step := func(n int, d time.Duration) {
		t.Helper()
		now.Advance(d)
		if _, err := io.ReadFull(m, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	step(2<<20, 900*time.Millisecond)
	if shown.Len() != 0 {
		t.Errorf("%q within a second", shown.String())
	}
	step(2<<20, 1100*time.Millisecond)
	step(1<<20, 100*time.Millisecond)
	m.total = 0
	step(1<<20, 1900*time.Millisecond)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	want := wipe + "4.0 MiB of 10.0 MiB, 40 %, 2.0 MiB/s" + wipe + "6.0 MiB, 1.5 MiB/s" + wipe
	if shown.String() != want {
		t.Errorf("%q, want %q", shown.String(), want)
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3 << 29: "1.5 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := inUnits(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
