// Package crashtest kills a real Haven under load, again and again, and checks that nothing it
// acknowledged was lost.
//
// A run starts the binary, built with the tag "faults", on a real folder; lets many clients create,
// use, rotate, stop and revoke keys; and ends the process with SIGKILL, at a random moment or at a
// named point of its code, sometimes after it was held by SIGSTOP. What was invoked and what was
// answered is written down on the clients' side. After restarts that history is compared with the
// server: see [Violation] for what must hold.
//
// SIGKILL takes nothing that the process gave to the kernel: defects that only a power cut shows
// are for the simulated disk (store/embedded). What is tested here is the whole binary, its
// restart included.
package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/haven-health/haven/client"
)

// Config says what is run. Binary and Folder are required.
type Config struct {
	// Binary is Haven built with the tag "faults".
	Binary string
	// Folder is where data folders are made. Those of rounds without a violation are removed.
	Folder string
	// Seed decides everything but the moments at which the machine does things.
	Seed uint64
	// Cycles is how often the server is started and killed.
	Cycles int
	// Round is how many cycles pass on one data folder before another is begun; 0 is 25.
	Round int
	// Every is after how many cycles the whole history is checked; 0 is 8. It is checked at the
	// end of each round in any case.
	Every int
	// Points are the named places to kill at; empty: random moments only.
	Points []string
	// Load is the longest time under load of a cycle; 0 is 250 ms.
	Load time.Duration
	// Mutant is the defect to plant in the server. Optional.
	Mutant string
	// Log receives a line for each round and each violation. nil: nobody does.
	Log io.Writer
}

// Violation is a promise that was broken. Its rule is one of
//
//	start      every start after a crash succeeds, and serves
//	write      every acknowledged change is there
//	record     every answered call has exactly one record, of its outcome; no record stands twice;
//	           what no answer told of was at least invoked
//	revoked    nothing invoked after an acknowledged restricting call was done
//	ciphertext every ciphertext returned decrypts to what it was, or its key's state says why not
//	fsck       a check of the store finds nothing
//	space      on a full disk restricting calls are done, others refused, and service returns
//	exit       a failed disk ends the process with 74
type Violation struct {
	Rule  string
	Cycle int
	What  string
}

// String returns the violation as one line.
func (v Violation) String() string { return fmt.Sprintf("cycle %d: %s: %s", v.Cycle, v.Rule, v.What) }

// Report counts what a run did and found.
type Report struct {
	Seed                        uint64
	Cycles, Rounds, Starts      int
	RandomKills, Paused         int
	KilledAt                    map[string]int // by point
	Calls, Acknowledged         int
	Unanswered                  int
	Refused                     map[client.Code]int
	Keys, Versions, Ciphertexts int
	Records                     uint64
	SlowestStart                time.Duration
	Violations                  []Violation
	// Notes say in a line each what was tried beside the cycles.
	Notes []string
	// Left names the data folders that were kept because of violations.
	Left []string
}

// Unreached returns the points at which no process was killed.
func (r *Report) Unreached(points []string) []string {
	var out []string
	for _, p := range points {
		if r.KilledAt[p] == 0 {
			out = append(out, p)
		}
	}
	return out
}

// maxViolations is after how many a run stops: the first ones tell.
const maxViolations = 20

func (c Config) withDefaults() Config {
	if c.Round == 0 {
		c.Round = 25
	}
	if c.Every == 0 {
		c.Every = 8
	}
	if c.Load == 0 {
		c.Load = 250 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

// Run runs the cycles. Its error says that it could not go on; what Haven did wrong is in the
// report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg = cfg.withDefaults()
	report := &Report{Seed: cfg.Seed, KilledAt: map[string]int{}, Refused: map[client.Code]int{}}
	plan := newPlan(cfg.Points, rand.New(rand.NewPCG(cfg.Seed, 1)))
	for report.Cycles < cfg.Cycles && len(report.Violations) < maxViolations {
		n := min(cfg.Round, cfg.Cycles-report.Cycles)
		if err := runRound(ctx, &cfg, report, plan, n); err != nil {
			return report, err
		}
	}
	return report, nil
}

func runRound(ctx context.Context, cfg *Config, report *Report, plan *plan, cycles int) error {
	r := newRound(cfg, report, fmt.Sprintf("round-%d", report.Rounds+1))
	r.plan = plan
	before := len(report.Violations)
	err := r.run(ctx, cycles)
	fmt.Fprintf(cfg.Log, "round %d: %d cycles, %d keys, %d records, %d violations, %.1f s\n",
		report.Rounds, cycles, len(r.world.keys), r.ledger.records, len(report.Violations)-before, time.Since(r.began).Seconds())
	report.Calls += len(r.history)
	report.Records += r.ledger.records
	if err != nil {
		return err
	}
	if len(report.Violations) > before {
		report.Left = append(report.Left, r.servers.folder)
		return nil
	}
	return os.RemoveAll(r.servers.folder)
}

func newRound(cfg *Config, report *Report, name string) *round {
	report.Rounds++
	return &round{
		cfg: cfg, report: report, plan: newPlan(nil, rand.New(rand.NewPCG(cfg.Seed, 2))), began: time.Now(),
		rng: rand.New(rand.NewPCG(cfg.Seed, uint64(report.Rounds)<<32)),
		servers: server{
			binary: cfg.Binary, mutant: cfg.Mutant,
			folder: filepath.Join(cfg.Folder, name), ready: filepath.Join(cfg.Folder, "ready.json"),
		},
		world: newWorld(), ledger: newLedger(),
	}
}

var errStopped = errors.New("crashtest: the server ended")
