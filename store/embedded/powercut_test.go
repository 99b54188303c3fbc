package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/haven-health/haven/store"
)

// TestPowerCuts cuts the power at random operations of the disk, during commits, checkpoints,
// rollovers, archiving, recycling and recoveries, and checks that what was acknowledged is there,
// once. HAVEN_CUTS sets how many seeds run, HAVEN_SEED runs one.
func TestPowerCuts(t *testing.T) {
	if text := os.Getenv("HAVEN_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := cutPower(seed); err != nil {
			t.Fatal(err)
		}
		return
	}
	seeds := uint64(150)
	if text := os.Getenv("HAVEN_CUTS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = n
	}
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for seed := next.Add(1); seed <= seeds && !t.Failed(); seed = next.Add(1) {
				if err := cutPower(seed); err != nil {
					t.Errorf("HAVEN_SEED=%d go test -run '^TestPowerCuts$' ./store/embedded: %v", seed, err)
				}
			}
		})
	}
	workers.Wait()
}

// lives is how often the power is cut in one story.
const lives = 3

func cutPower(seed uint64) error {
	w := newWorld(seed)
	defer w.abandon()
	for life := range lives {
		if err := w.live(); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		w.abandon()
		if w.rng.IntN(3) == 0 {
			w.sim.Kill() // only the process died
		} else {
			w.sim.PowerCut(w.rng)
		}
		for w.rng.IntN(3) == 0 { // again, while it recovers
			w.sim.CutPowerAt(w.sim.Ops() + 1 + w.rng.Int64N(60))
			if err := w.open(); err != nil && !errors.Is(err, store.ErrFailed) {
				return fmt.Errorf("life %d, opened with power failing: %w", life, err)
			}
			w.abandon()
			w.sim.PowerCut(w.rng)
		}
		if err := w.open(); err != nil {
			return fmt.Errorf("life %d, opened: %w", life, err)
		}
		if err := w.verify(); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		w.abandon()
	}
	return nil
}

// live opens the store and works until the power fails.
func (w *world) live() error {
	w.sim.CutPowerAt(w.sim.Ops() + 1 + w.rng.Int64N(300))
	err := w.open()
	for err == nil {
		err = w.act()
	}
	if errors.Is(err, store.ErrFailed) {
		return nil
	}
	return err
}
