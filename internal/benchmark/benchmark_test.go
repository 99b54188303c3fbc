package benchmark_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/benchmark"
)

// childVariable makes the test binary a child of the benchmark.
const childVariable = "HAVEN_BENCHMARK_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := benchmark.Serve(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), childVariable+"=1")
	return c
}

// TestRun asserts that every measurement was taken and every target judged by its own limit; how
// they came out is not a test's business.
func TestRun(t *testing.T) {
	r, err := benchmark.Run(t.Context(), benchmark.Config{
		Command: command, Folder: t.TempDir(), Rounds: 2, Cell: 2 * time.Millisecond, Concurrency: []int{1, 16},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Lines {
		if l.Rate <= 0 || l.P50 <= 0 || l.P99 < l.P50 {
			t.Errorf("%+v", l)
		}
	}
	if len(r.Lines) != 31 {
		t.Errorf("%d lines", len(r.Lines))
	}
	judged(t, r.Targets, "encrypt 32 B × 1: CPU", "encrypt 32 B × 16: p99", "encrypt 32 B × 16: throughput",
		"encrypt 4096 B × 16: throughput", "batch 32 B × 1: CPU", "create-key 32 B × 16: rate",
		"sign 32 B × 1: CPU", "verify 32 B × 16: CPU")
	written(t, r)
}

// TestRunKeys asserts the same of many keys.
func TestRunKeys(t *testing.T) {
	r, err := benchmark.RunKeys(t.Context(), benchmark.KeysConfig{
		Command: command, Folder: t.TempDir(), Count: 30, Versions: 5, Cell: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Count != 30 || r.RandomKeys != 30 || r.Versions != 5 || r.Start <= 0 || r.HotP50 <= 0 || r.RandomP50 <= 0 ||
		r.FirstRotations <= 0 || r.LastRotations <= 0 || r.DatabasePerKey <= 0 || r.JournalPerKey <= 0 || r.ResidentStart <= 0 {
		t.Errorf("%+v", r)
	}
	judged(t, r.Targets, "start", "resident", "store per key", "p50 of random keys", "last rotations")
	written(t, r)
}

func judged(t *testing.T, targets []benchmark.Target, names ...string) {
	t.Helper()
	for _, name := range names {
		found := false
		for _, target := range targets {
			found = found || strings.HasPrefix(target.Name, name)
		}
		if !found {
			t.Errorf("no target %q", name)
		}
	}
	for _, target := range targets {
		met := target.Got <= target.Limit
		if target.AtLeast {
			met = target.Got >= target.Limit
		}
		if target.Met != met || target.Got <= 0 {
			t.Errorf("%+v", target)
		}
	}
}

// written asserts that a report can be printed both ways.
func written(t *testing.T, r any) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"targets":[{"name":`) {
		t.Errorf("%v: %s", err, b)
	}
}
