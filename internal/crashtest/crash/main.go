// Crash builds Haven, kills it many times under load, makes its disk fail and fill up, and tells
// what it found: see package crashtest. It exits with 1 when a promise was broken.
//
//	go run ./internal/crashtest/crash -cycles 1000
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/haven-health/haven/internal/crashtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	broken, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
	if broken {
		os.Exit(1)
	}
}

func run(ctx context.Context) (broken bool, err error) {
	cycles := flag.Int("cycles", 200, "how often the server is killed")
	seed := flag.Uint64("seed", 0, "the seed of a run; 0 draws one")
	source := flag.String("source", ".", "the module's `folder`")
	folder := flag.String("folder", "", "where data folders are made (default: a new temporary folder)")
	mutant := flag.String("mutant", "", "the `defect` to plant in the server, to see it caught")
	rotations := flag.Int("rotations", 0, "how many kills the run has in which root key, masters and keys are rotated in turn; 0: none")
	disks := flag.Bool("disks", true, "also let the disk fail and fill up; needs root and strace")
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	fmt.Printf("seed %d\n", *seed)
	if *folder == "" {
		if *folder, err = os.MkdirTemp("", "haven-crash-"); err != nil {
			return false, err
		}
	}
	cfg := crashtest.Config{Folder: *folder, Seed: *seed, Cycles: *cycles, Mutant: *mutant, Log: os.Stdout}
	if cfg.Points, err = crashtest.Points(*source); err != nil {
		return false, err
	}
	if cfg.Binary, err = crashtest.Build(ctx, *source, *folder); err != nil {
		return false, err
	}
	if *cycles > 0 {
		began := time.Now()
		report, err := crashtest.Run(ctx, cfg)
		print(report, cfg.Points, time.Since(began))
		if err != nil || len(report.Violations) > 0 {
			return len(report.Violations) > 0, err
		}
	}
	if *rotations > 0 {
		began := time.Now()
		cfg.Cycles = *rotations
		report, err := crashtest.RunRotations(ctx, cfg)
		printRotations(report, time.Since(began))
		if err != nil || len(report.Violations) > 0 {
			return len(report.Violations) > 0, err
		}
	}
	if *disks {
		report, err := crashtest.RunDisks(ctx, cfg)
		if err != nil {
			return false, err
		}
		for _, line := range report.Notes {
			fmt.Println(line)
		}
		if len(report.Violations) > 0 {
			return true, nil
		}
	}
	return false, os.RemoveAll(*folder)
}

func printRotations(r *crashtest.RotationReport, took time.Duration) {
	fmt.Printf("rotations: %d kills (%d of the server at random moments, %d in the re-wrap, %d while the root key was rotated), %d starts, %.0f s; slowest start %d ms\n",
		r.Kills(), r.ServerKills, r.PointKills, r.RootKills, r.Starts, took.Seconds(), r.SlowestStart.Milliseconds())
	fmt.Printf("rotated: root key %d times (those killed not counted), masters %d and %d compromised, keys %d\n", r.Roots, r.Masters, r.Compromises, r.Keys)
	fmt.Printf("under load %d encrypted, %d decrypted; after %.1f s of re-wrapping all %d ciphertexts decrypted, %d versions with their master's primary\n",
		r.Encrypted, r.Decrypted, r.Settled.Seconds(), r.Ciphertexts, r.Versions)
	fmt.Printf("%d violations, seed %d\n", len(r.Violations), r.Seed)
	if r.Left != "" {
		fmt.Printf("left for a look: %s\n", r.Left)
	}
}

func print(r *crashtest.Report, points []string, took time.Duration) {
	fmt.Printf("%d cycles in %d rounds, %d starts, %.0f s; slowest start %d ms\n",
		r.Cycles, r.Rounds, r.Starts, took.Seconds(), r.SlowestStart.Milliseconds())
	fmt.Printf("%d kills at random moments, %d cycles with the process held\n", r.RandomKills, r.Paused)
	for _, point := range slices.Sorted(maps.Keys(r.KilledAt)) {
		fmt.Printf("%6d kills at %s\n", r.KilledAt[point], point)
	}
	for _, point := range r.Unreached(points) {
		fmt.Printf("  no kill at %s: not reached\n", point)
	}
	fmt.Printf("%d calls: %d acknowledged, %d unanswered", r.Calls, r.Acknowledged, r.Unanswered)
	for _, code := range slices.Sorted(maps.Keys(r.Refused)) {
		fmt.Printf(", %d %s", r.Refused[code], code)
	}
	fmt.Println()
	fmt.Printf("%d keys, %d versions, %d ciphertexts, %d records\n", r.Keys, r.Versions, r.Ciphertexts, r.Records)
	fmt.Printf("%d violations, seed %d\n", len(r.Violations), r.Seed)
	for _, folder := range r.Left {
		fmt.Printf("left for a look: %s\n", folder)
	}
}
