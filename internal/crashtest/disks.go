package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/haven-health/haven/client"
)

// RunDisks lets the disk of a real server fail and fill up, and checks what the cycles check. The
// simulated disk does the same at every operation; this shows that the real one is wired as it is.
// It needs strace and, for the full disk, root; what it had to leave out stands in the notes.
func RunDisks(ctx context.Context, cfg Config) (*Report, error) {
	cfg = cfg.withDefaults()
	report := &Report{Seed: cfg.Seed, KilledAt: map[string]int{}, Refused: map[client.Code]int{}}
	err := failingDisk(ctx, &cfg, report)
	if err == nil {
		err = fullDisk(ctx, &cfg, report)
	}
	return report, err
}

// failure is an error of a system call, at its n-th passage in one of the server's threads.
type failure struct {
	call, errno string
	n           int
}

func (f failure) String() string { return fmt.Sprintf("%s: %s at %d", f.call, f.errno, f.n) }

func failures() (out []failure) {
	for _, f := range []failure{{call: "fdatasync", errno: "EIO"}, {call: "pwrite64", errno: "EIO"}, {call: "pwrite64", errno: "ENOSPC"}} {
		for _, n := range []int{1, 2, 3, 5, 9, 17, 33, 65} {
			out = append(out, failure{f.call, f.errno, n})
		}
	}
	return out
}

// failingDisk starts a server for each failure. After EIO it must end with 74; after ENOSPC it may
// end so, where what was written can no longer be taken back, or go on. Nothing acknowledged is
// lost either way.
func failingDisk(ctx context.Context, cfg *Config, report *Report) error {
	strace, err := exec.LookPath("strace")
	if err != nil {
		report.Notes = append(report.Notes, "failing disk: left out: strace is not installed")
		return nil
	}
	r := newRound(cfg, report, "failing-disk")
	if err := r.initialize(ctx); err != nil {
		return err
	}
	if err := r.crash(ctx); err != nil { // it also makes what a first start makes
		return err
	}
	met, ended := 0, 0
	for i, f := range failures() {
		r.cycle++
		report.Cycles++
		r.servers.wrapper = []string{strace, "-f", "--seccomp-bpf", "-qq", "-o", r.traceFile(),
			"-e", "trace=" + f.call, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", f.call, f.errno, f.n)}
		code, err := r.fail(ctx, f)
		r.servers.wrapper = nil
		if err != nil {
			return err
		}
		if r.injected() {
			met++
			if f.errno == "EIO" && code == -1 {
				r.violated("exit", "%s did not end the server", f)
			}
		}
		if code == exitStorage {
			ended++
		}
		if i%4 == 3 {
			if err := r.audit(ctx); err != nil {
				return err
			}
		}
	}
	report.Notes = append(report.Notes, fmt.Sprintf("failing disk: %d of %d failures of system calls met, %d ended the server with 74; %d calls, %d records, %d violations",
		met, len(failures()), ended, len(r.history), r.ledger.records, len(report.Violations)))
	return r.postmortem()
}

// exitStorage is what the server must end with when the disk failed under the journal.
const exitStorage = 74

// fail runs a server with a failure and returns its exit code, -1 when it was killed at the end
// because nothing ended it.
func (r *round) fail(ctx context.Context, f failure) (code int, err error) {
	p, err := r.servers.start(ctx, "")
	if err != nil && !errors.Is(err, errStopped) {
		return 0, err
	}
	defer p.kill()
	served := err == nil
	if served {
		if err := r.catchUp(p); err != nil && !errors.Is(err, errStopped) {
			return 0, err
		}
		if err := r.spell(p, f); err != nil {
			return 0, err
		}
	}
	p.kill()
	code = p.exitCode()
	refused := !served && f.errno == "ENOSPC" && code == 1 // there is no room to start in
	if code != exitStorage && code != -1 && !refused {
		r.violated("exit", "%s ended the server with %d; stderr: %s", f, code, p.stderr.String())
	}
	return code, nil
}

// spell lets clients call for a while, until they get no answer any more. A server whose disk has
// failed by then is given the time to end by itself.
func (r *round) spell(p *process, f failure) error {
	stop := make(chan struct{})
	deadline := time.AfterFunc(600*time.Millisecond, func() { close(stop) })
	defer deadline.Stop()
	if err := r.load(p, stop, false); err != nil {
		return err
	}
	if f.errno == "EIO" && r.injected() {
		patience := time.NewTimer(endsWithin)
		defer patience.Stop()
		select {
		case <-p.ended:
		case <-patience.C:
		}
	}
	return nil
}

// endsWithin is how long a server whose disk failed may take to end: what it drains its requests in,
// and more.
const endsWithin = 15 * time.Second

func (r *round) traceFile() string { return filepath.Join(r.cfg.Folder, "strace.out") }

// injected tells whether the last trace shows that an error was injected.
func (r *round) injected() bool {
	trace, err := os.ReadFile(r.traceFile())
	return err == nil && bytes.Contains(trace, []byte("(INJECTED)"))
}
