package benchmark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/rotation"
)

// RotationConfig says what checks of what is due are measured on. Folder is required.
type RotationConfig struct {
	Folder string
	// Count is the number of keys of the large store, Few that of the small one, and Due how many of
	// each come due at once. 0: 1,000,000, 10,000 and 1,000.
	Count, Few, Due int
	Progress        io.Writer
}

// RotationReport tells what a check costs. Times are in milliseconds, CPU in microseconds an operation.
type RotationReport struct {
	Count   int     `json:"count"`
	Few     int     `json:"few"`
	Due     int     `json:"due"`
	Large   float64 `json:"check_of_many_ms"`
	Small   float64 `json:"check_of_few_ms"`
	Idle    float64 `json:"idle_check_of_many_ms"`
	IdleFew float64 `json:"idle_check_of_few_ms"`
	// Checked and Single are rotations a second: of due keys by a check, and one by one; the CPU likewise.
	Checked    float64  `json:"rotations_per_second_by_check"`
	Single     float64  `json:"rotations_per_second_one_by_one"`
	CPUChecked float64  `json:"cpu_us_per_rotation_by_check"`
	CPUSingle  float64  `json:"cpu_us_per_rotation_one_by_one"`
	Targets    []Target `json:"targets"`
}

// rotationRounds is how often each check is measured, the stores by turns.
const rotationRounds = 7

// dueStore is a store whose clock the benchmark moves.
type dueStore struct {
	system *haven.System
	clock  *clock.Ahead
	due    []string // the keys that come due together
	// milliseconds of checks
	busy, idle []float64
}

// RunRotation makes the stores and measures.
func RunRotation(ctx context.Context, cfg RotationConfig) (_ *RotationReport, err error) {
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	folder, err := os.MkdirTemp(cfg.Folder, "haven-bench-")
	if err != nil {
		return nil, fmt.Errorf("benchmark: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	var stores [2]*dueStore
	for i, n := range []int{cfg.Few, cfg.Count} {
		s, err := makeDue(ctx, filepath.Join(folder, fmt.Sprint(n, i)), n, &cfg)
		if err != nil {
			return nil, fmt.Errorf("benchmark: %w", err)
		}
		defer func() { err = errors.Join(err, s.system.Close()) }()
		stores[i] = s
	}
	r := &RotationReport{Count: cfg.Count, Few: cfg.Few, Due: cfg.Due}
	for range rotationRounds {
		for _, s := range stores {
			if err := s.round(ctx); err != nil {
				return nil, fmt.Errorf("benchmark: %w", err)
			}
		}
	}
	if err := stores[0].compare(ctx, r); err != nil {
		return nil, fmt.Errorf("benchmark: %w", err)
	}
	r.Small, r.Large = median(stores[0].busy), median(stores[1].busy)
	r.IdleFew, r.Idle = median(stores[0].idle), median(stores[1].idle)
	ratio, rate := r.Large/r.Small, r.Checked/r.Single
	r.Targets = []Target{
		{Name: fmt.Sprintf("check of %d due among %d keys to one among %d", r.Due, r.Count, r.Few), Limit: 1.5, Got: ratio, Met: ratio <= 1.5},
		{Name: "rotations of due keys by a check to one by one", Limit: 5, AtLeast: true, Got: rate, Met: rate >= 5},
	}
	return r, nil
}

// makeDue makes a store of n keys, of which some come due every 90 days and the others in a hundred years.
func makeDue(ctx context.Context, folder string, n int, cfg *RotationConfig) (*dueStore, error) {
	s := &dueStore{clock: clock.NewAhead(clock.System(), 0)}
	var err error
	s.system, err = haven.Open(ctx, haven.Config{DataDir: folder, Clock: s.clock, NoScheduler: true, CacheKeys: 4 * cfg.Due,
		Defaults: &lifecycle.Policy{RotateEarlyDays: 7, GraceDays: 30}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	var left atomic.Int64
	left.Store(int64(n))
	var mu sync.Mutex
	errs := make([]error, makers)
	var wait sync.WaitGroup
	for i := range makers {
		wait.Go(func() {
			for errs[i] == nil {
				at := left.Add(-1)
				if at < 0 {
					return
				}
				days := keys.Days(36500)
				if at < int64(cfg.Due) {
					days = 90
				}
				var key *keys.Key
				key, errs[i] = s.system.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "Patient data encryption", Type: keys.Data, RotationDays: days})
				if errs[i] == nil && days == 90 {
					mu.Lock()
					s.due = append(s.due, key.ID)
					mu.Unlock()
				}
				if at > 0 && at%100_000 == 0 {
					fmt.Fprintf(cfg.Progress, "%d keys to make\n", at)
				}
			}
		})
	}
	wait.Wait()
	return s, errors.Join(errs...)
}

// round measures a check that rotates, one that ends the grace periods, and one of nothing.
func (s *dueStore) round(ctx context.Context) error {
	s.clock.Advance(83 * lifecycle.Day)
	began := time.Now()
	out, err := s.check(ctx)
	if err != nil {
		return err
	}
	if len(out.Done) < len(s.due) || len(out.Failed) > 0 {
		return fmt.Errorf("%d of %d due were done", len(out.Done), len(s.due))
	}
	s.busy = append(s.busy, milliseconds(began))
	s.clock.Advance(30 * lifecycle.Day)
	if _, err := s.check(ctx); err != nil {
		return err
	}
	began = time.Now()
	_, err = s.check(ctx)
	s.idle = append(s.idle, milliseconds(began))
	return err
}

func milliseconds(began time.Time) float64 { return microseconds(time.Since(began)) / 1000 }

func (s *dueStore) check(ctx context.Context) (*rotation.CheckAnswer, error) {
	return s.system.RotationScheduler().CheckRotation(ctx, rotation.CheckRequest{})
}

// compare rotates the same keys by a check and one by one.
func (s *dueStore) compare(ctx context.Context, r *RotationReport) error {
	s.clock.Advance(83 * lifecycle.Day)
	checked, err := s.measure(func() error {
		_, err := s.check(ctx)
		return err
	})
	if err != nil {
		return err
	}
	single, err := s.measure(func() error {
		for _, key := range s.due {
			if _, err := s.system.KeyManager().RotateKey(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
	n := float64(len(s.due))
	r.Checked, r.Single = n/checked.Wall.Seconds(), n/single.Wall.Seconds()
	r.CPUChecked, r.CPUSingle = microseconds(checked.CPU)/n, microseconds(single.CPU)/n
	return err
}

// cost is what something took.
type cost struct{ Wall, CPU time.Duration }

func (s *dueStore) measure(f func() error) (c cost, err error) {
	before, err := used()
	if err != nil {
		return c, err
	}
	began := time.Now()
	if err := f(); err != nil {
		return c, err
	}
	c.Wall = time.Since(began)
	after, err := used()
	c.CPU = after.CPU - before.CPU
	return c, err
}

// WriteText writes the report for people.
func (r *RotationReport) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "check of %d due: %.0f ms among %d keys, %.0f ms among %d; of nothing %.2f ms and %.2f ms\n",
		r.Due, r.Small, r.Few, r.Large, r.Count, r.IdleFew, r.Idle)
	fmt.Fprintf(w, "rotations a second: %.0f by a check (%.0f µs CPU each), %.0f one by one (%.0f µs CPU)\n\n",
		r.Checked, r.CPUChecked, r.Single, r.CPUSingle)
	return writeTargets(w, r.Targets)
}

// WriteJSON writes the report as one JSON object.
func (r *RotationReport) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
