// Package benchmark measures what a durable record of every operation costs: it drives Haven and
// two plain servers that it is compared with, each a process of its own, over TLS, in short
// interleaved rounds, so that whatever else the machine does meets all of them alike.
//
// The opponents are (a) net/http with AES-GCM and encoding/json over the same requests, and (b)
// the same with a record of 300 bytes, group-committed and synced, before each answer. They do not
// authenticate, authorize, look up keys or keep key states.
//
// It reports; it never judges by an exit code, and no test rests on a time it measured. It is no
// part of a serving Haven: its child processes are started by `haven bench` alone.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Config says what is measured. Command and Folder are required.
type Config struct {
	// Command makes the child process that runs [Serve] with the arguments given.
	Command func(ctx context.Context, args ...string) *exec.Cmd
	// Folder is where stores and files are made; it should be on the disk that is to be measured.
	// What is made in it is removed.
	Folder string
	// Rounds is how often each measurement is repeated, Cell how long one takes. 0: 5, and 1 s.
	Rounds int
	Cell   time.Duration
	// Sizes are those of the plaintexts, Concurrency the numbers of connections. Empty: 32 and
	// 4096; 1, 16 and 64.
	Sizes, Concurrency []int
	// Profile, if not empty, is a folder that gets a CPU profile of each of Haven's measurements
	// in the first round, and one of allocations.
	Profile string
	// Progress is told what is going on; nil: nobody is.
	Progress io.Writer
}

func (c Config) withDefaults() Config {
	if c.Rounds == 0 {
		c.Rounds = 5
	}
	if c.Cell == 0 {
		c.Cell = time.Second
	}
	if len(c.Sizes) == 0 {
		c.Sizes = []int{32, 4096}
	}
	if len(c.Concurrency) == 0 {
		c.Concurrency = []int{1, 16, 64}
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	return c
}

// The servers.
const (
	Bare    = "bare"    // (a)
	Durable = "durable" // (b)
	Haven   = "haven"   // (c)
)

// Operations that are measured. The opponents have encrypt alone.
const (
	opEncrypt = "encrypt"
	opDecrypt = "decrypt"
	opDataKey = "generate-data-key"
	opBatch   = "batch"
	opCreate  = "create-key"
	opSign    = "sign"
	opVerify  = "verify"
)

// batchItems is how many items a batch has. Figures of a batch are per item.
const batchItems = 100

// bench is one run.
type bench struct {
	cfg     Config
	servers map[string]*child
	plan    []*measurement
	calls   []*call
}

// Run measures and returns the report.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	b := &bench{cfg: cfg.withDefaults(), servers: map[string]*child{}}
	folder, err := os.MkdirTemp(cfg.Folder, "haven-bench-")
	if err != nil {
		return nil, fmt.Errorf("benchmark: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, folder); err != nil {
		return nil, err
	}
	if err := errors.Join(b.makePlan(), b.makeCalls()); err != nil {
		return nil, err
	}
	for round := range b.cfg.Rounds {
		if err := b.round(ctx, round); err != nil {
			return nil, err
		}
	}
	return b.report(), nil
}

// start starts the three servers, Haven first: the others serve with the certificate that its own
// authority made, so that TLS is the same for all.
func (b *bench) start(ctx context.Context, folder string) error {
	data := filepath.Join(folder, "haven")
	for _, kind := range []string{Haven, Bare, Durable} {
		c, err := startChild(ctx, b.cfg.Command(ctx, kind, data, filepath.Join(folder, kind+".log")))
		if err != nil {
			return fmt.Errorf("benchmark: starting %s: %w", kind, err)
		}
		b.servers[kind] = c
	}
	return nil
}

func (b *bench) stop() error {
	var errs []error
	for _, c := range b.servers {
		errs = append(errs, c.stop())
	}
	return errors.Join(errs...)
}

// round takes every measurement once. Those of one size and concurrency stand beside each other:
// a, b, c, a, b, c, …
func (b *bench) round(ctx context.Context, round int) error {
	for _, m := range b.plan {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := b.measure(m, round)
		if err != nil {
			return fmt.Errorf("benchmark: %s: %w", m, err)
		}
		m.samples = append(m.samples, s)
		fmt.Fprintf(b.cfg.Progress, "round %d/%d  %-44s %9.0f/s\n", round+1, b.cfg.Rounds, m, s.Rate)
	}
	for _, c := range b.calls {
		s, err := c.measure(b.cfg.Cell / 4)
		if err != nil {
			return fmt.Errorf("benchmark: the bare call of %s: %w", c.operation, err)
		}
		c.samples = append(c.samples, s)
	}
	return nil
}
