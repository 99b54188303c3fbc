package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
)

// round is the life of one data folder.
type round struct {
	cfg     *Config
	report  *Report
	plan    *plan
	rng     *rand.Rand
	began   time.Time
	servers server

	cycle   int
	world   *world
	history []call
	ledger  *ledger
	judged  int // calls of the history that were checked for order

	mu       sync.Mutex // for report.Violations and suspects
	suspects []gate.ID
}

func (r *round) violated(rule, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.report.Violations) >= maxViolations {
		return
	}
	v := Violation{Rule: rule, Cycle: r.cycle, What: fmt.Sprintf(format, args...)}
	r.report.Violations = append(r.report.Violations, v)
	fmt.Fprintln(r.cfg.Log, v)
}

func (r *round) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.report.Violations) >= maxViolations
}

// run is one round: initialize, then cycles, with the whole history checked now and then.
func (r *round) run(ctx context.Context, cycles int) error {
	if err := r.initialize(ctx); err != nil {
		return err
	}
	for i := 1; i <= cycles && !r.broken(); i++ {
		r.report.Cycles++
		r.cycle = r.report.Cycles
		if err := r.crash(ctx); err != nil {
			return err
		}
		if i%r.cfg.Every == 0 || i == cycles {
			if err := r.audit(ctx); err != nil {
				return err
			}
		}
	}
	r.tally()
	return r.postmortem()
}

func (r *round) tally() {
	for i := range r.history {
		switch c := &r.history[i]; {
		case c.done():
			r.report.Acknowledged++
		case c.answered != 0:
			r.report.Refused[c.code]++
		default:
			r.report.Unanswered++
		}
	}
	r.report.Keys += len(r.world.keys)
	r.report.Ciphertexts += len(r.world.written)
	for _, k := range r.world.keys {
		r.report.Versions += len(k.life.versions)
	}
}

// initialize makes the store, in many rounds after a first attempt that was killed.
func (r *round) initialize(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(r.servers.folder), 0o700); err != nil {
		return err
	}
	if len(r.cfg.Points) > 0 {
		point := r.cfg.Points[r.rng.IntN(len(r.cfg.Points))]
		killed, err := r.servers.initialize(ctx, fmt.Sprintf("%s:%d", point, 1+r.rng.IntN(3)))
		if err != nil {
			return err
		}
		if killed {
			r.report.KilledAt[point]++
			if err := r.halfMade(ctx, point); err != nil {
				return err
			}
		} else {
			return nil
		}
	}
	_, err := r.servers.initialize(ctx, "")
	return err
}

// halfMade looks at what a killed haven init left: a store that is whole or none. One whose token
// nobody knows is of no further use here. Where there is none, a key file may be there, which
// haven init does not overwrite: an operator takes it away.
func (r *round) halfMade(ctx context.Context, point string) error {
	locked, err := haven.Load(ctx, haven.Config{DataDir: r.servers.folder})
	if err != nil {
		r.violated("start", "haven init was killed at %s, and what it left does not open: %v", point, err)
		return errors.Join(err, os.RemoveAll(r.servers.folder))
	}
	whole := locked.Initialized()
	if err := locked.Close(); err != nil {
		return err
	}
	if !whole {
		return os.RemoveAll(filepath.Join(r.servers.folder, haven.KeyFileName))
	}
	if err := r.fsck(ctx); err != nil {
		return err
	}
	return os.RemoveAll(r.servers.folder)
}

// crash is one cycle: start, catch up, work, die.
func (r *round) crash(ctx context.Context) error {
	end := r.plan.ending()
	p, err := r.start(ctx, end)
	if err != nil || p == nil {
		return err
	}
	defer p.kill()
	if !p.hasEnded() {
		if err := r.catchUp(p); err != nil && !errors.Is(err, errStopped) {
			return err
		}
		if err := r.work(p, end); err != nil {
			return err
		}
	}
	p.kill()
	r.buried(p, end)
	return nil
}

// start starts the server. One that is killed while it starts has had its end.
func (r *round) start(ctx context.Context, end ending) (*process, error) {
	if end.early > 0 {
		limited, cancel := context.WithTimeout(ctx, end.early)
		defer cancel()
		ctx = limited
	}
	p, err := r.servers.start(ctx, end.variable())
	r.report.Starts++
	if errors.Is(err, errStopped) {
		if end.point == "" && end.early == 0 || !p.killed() {
			r.violated("start", "the server ended before it served: %v; stderr: %s", p.err, p.stderr.String())
			return nil, fmt.Errorf("crashtest: a start failed: %v", p.err)
		}
		return p, nil
	}
	if end.early > 0 && errors.Is(err, context.DeadlineExceeded) {
		<-p.ended
		return p, nil
	}
	if err != nil {
		r.violated("start", "%v", err)
		return nil, err
	}
	r.report.SlowestStart = max(r.report.SlowestStart, p.took)
	return p, nil
}

// work lets the clients call until the process dies, or for a random time.
func (r *round) work(p *process, end ending) error {
	span := time.Duration(r.rng.Int64N(int64(r.cfg.Load)))
	if end.point != "" {
		span = r.cfg.Load
	}
	if end.heavy {
		span *= 16
	}
	held := time.Duration(r.rng.Int64N(int64(r.cfg.Load)))
	stop := make(chan struct{})
	loaded := make(chan error, 1)
	go func() { loaded <- r.load(p, stop, end.heavy) }()
	deadline := time.NewTimer(span)
	defer deadline.Stop()
	if end.paused {
		r.pause(p, held)
	}
	select {
	case <-p.ended:
	case <-deadline.C:
		p.kill()
	}
	close(stop)
	return <-loaded
}

// pause holds the process for a while in the middle of what it does.
func (r *round) pause(p *process, long time.Duration) {
	for _, step := range []struct {
		after  time.Duration
		signal syscall.Signal
	}{{long / 4, syscall.SIGSTOP}, {long, syscall.SIGCONT}} {
		wait := time.NewTimer(step.after)
		select {
		case <-p.ended:
		case <-wait.C:
		}
		wait.Stop()
		p.signal(step.signal)
	}
	r.report.Paused++
}

// buried notes how the process ended.
func (r *round) buried(p *process, end ending) {
	switch {
	case !p.killed():
		r.violated("exit", "the server ended by itself: %v; stderr: %s", p.err, p.stderr.String())
	case end.point != "" && !p.ours:
		r.report.KilledAt[end.point]++
	default:
		r.report.RandomKills++
		r.plan.missed(end)
	}
}
