package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/internal/benchmark"
	"github.com/haven-health/haven/rotation"
)

// benchServer is the hidden command that bench starts as child processes.
const benchServer = "bench-server"

func (a *app) bench() *cobra.Command {
	var cfg benchmark.Config
	var quick bool
	c := &cobra.Command{
		Use: "bench", Short: "Measure what a durable record of every operation costs", GroupID: groupOperate,
		Long: `Measure Haven against (a) a plain HTTP server that encrypts and (b) the same with a synced
record of 300 bytes: three processes of this binary, over TLS, in short interleaved rounds. Per
measurement: operations a second, latencies, and the server's CPU time and allocations for one
operation, background work included. A missed target is shown and is no failure.

Fields of --output json: machine, rounds, lines (server, operation, size, concurrency,
per_second, p50_us, p99_us, cpu_us, allocs, bytes), targets (name, limit, at_least, got, met).`,
		Example: `  haven bench --folder /var/tmp
  haven bench --quick
  haven bench keys --count 100000`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if quick {
				cfg.Rounds, cfg.Cell = 1, 20*time.Millisecond
			}
			cfg.Command, cfg.Progress = benchChild, a.stderr
			report, err := benchmark.Run(c.Context(), cfg)
			if err != nil {
				return err
			}
			return a.benchReport(report)
		},
	}
	c.Flags().StringVar(&cfg.Folder, "folder", os.TempDir(), "the `folder` for what it makes and removes; its disk is what is measured")
	c.Flags().IntVar(&cfg.Rounds, "rounds", 9, "how often each measurement is repeated")
	c.Flags().DurationVar(&cfg.Cell, "cell", 500*time.Millisecond, "how long one measurement takes")
	c.Flags().BoolVar(&quick, "quick", false, "only see that it runs: one round, too short to mean anything")
	c.Flags().StringVar(&cfg.Profile, "profile", "", "a `folder` for profiles of Haven in the first round")
	c.AddCommand(a.benchKeys(), a.benchRotation())
	return c
}

func (a *app) benchRotation() *cobra.Command {
	cfg := benchmark.RotationConfig{}
	c := &cobra.Command{
		Use: "rotation", Short: "Measure checks of what is due, among few keys and among many",
		Long: `Make a store of few keys and one of many, of which the same number come due together; then measure
checks, by turns, and compare them with rotating one by one.

Fields of --output json: count, few, due, check_of_many_ms, check_of_few_ms, idle_check_of_many_ms,
idle_check_of_few_ms, rotations_per_second_by_check, rotations_per_second_one_by_one,
cpu_us_per_rotation_by_check, cpu_us_per_rotation_one_by_one, targets (as of bench).`,
		Example: `  haven bench rotation --count 1000000`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if cfg.Due < 1 || cfg.Due > rotation.MaxChecked || cfg.Few < cfg.Due || cfg.Count < cfg.Few {
				return usagef("--due is 1 to %d, --few at least that, --count at least --few", rotation.MaxChecked)
			}
			cfg.Progress = a.stderr
			report, err := benchmark.RunRotation(c.Context(), cfg)
			if err != nil {
				return err
			}
			return a.benchReport(report)
		},
	}
	c.Flags().StringVar(&cfg.Folder, "folder", os.TempDir(), "the `folder` for what it makes and removes; its disk is what is measured")
	c.Flags().IntVar(&cfg.Count, "count", 1_000_000, "how many keys the large store has")
	c.Flags().IntVar(&cfg.Few, "few", 10_000, "how many the small one has")
	c.Flags().IntVar(&cfg.Due, "due", 1000, "how many of each come due together")
	return c
}

func (a *app) benchKeys() *cobra.Command {
	var cfg benchmark.KeysConfig
	c := &cobra.Command{
		Use: "keys", Short: "Measure a store of many keys and many versions",
		Long: `Make many data keys, and one key with many versions; then measure the start of a server on
them, its memory, the room they take on the disk, and the use of random keys.

Fields of --output json: count, created_per_second, database_bytes_per_key,
journal_bytes_per_key, start_to_first_encrypt_ms, resident_after_start, random_keys,
fill_cache_ms, resident_with_cache_filled, hot_p50_us, random_p50_us, versions,
first_rotations_p50_us, last_rotations_p50_us, rotations_measured, targets (as of bench).`,
		Example: `  haven bench keys --count 1000000 --versions 10000`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if cfg.Count < 1 || cfg.Versions < 2 {
				return usagef("--count is at least 1 and --versions at least 2")
			}
			cfg.Command, cfg.Progress = benchChild, a.stderr
			report, err := benchmark.RunKeys(c.Context(), cfg)
			if err != nil {
				return err
			}
			return a.benchReport(report)
		},
	}
	c.Flags().StringVar(&cfg.Folder, "folder", os.TempDir(), "the `folder` for what it makes and removes; its disk is what is measured")
	c.Flags().IntVar(&cfg.Count, "count", 1_000_000, "how many data keys")
	c.Flags().IntVar(&cfg.Versions, "versions", 10_000, "how many versions of one key")
	return c
}

// benchServer is a child process of bench.
func (a *app) benchServer() *cobra.Command {
	return &cobra.Command{
		Use: benchServer, Hidden: true, Short: "A server that bench measures",
		Long:    "A server that haven bench starts, measures and stops.\n\nFields of --output json: none.",
		Example: "  haven " + benchServer,
		RunE: func(c *cobra.Command, args []string) error {
			return benchmark.Serve(c.Context(), args, a.stdin, a.stdout)
		},
	}
}

// benchChild starts this binary again as one of bench's servers.
func benchChild(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, append([]string{benchServer}, args...)...)
}

// written is a report of bench.
type written interface {
	WriteText(io.Writer) error
	WriteJSON(io.Writer) error
}

// benchReport prints a report as text or JSON.
func (a *app) benchReport(r written) error {
	if a.output == "json" {
		return r.WriteJSON(a.stdout)
	}
	return r.WriteText(a.stdout)
}
