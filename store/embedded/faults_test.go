package embedded_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
)

// storyLength is how many steps a story takes: with the small segments of a world enough for
// rollovers, archiving and recycling.
const storyLength = 40

// tell runs the story of a seed until it ends or a step fails with anything but want of space.
func (w *world) tell() error {
	err := w.open()
	for i := 0; i < storyLength && err == nil; i++ {
		if err = w.act(); errors.Is(err, store.ErrNoSpace) {
			err = nil
		}
	}
	return err
}

// faultyStory runs the story of a seed with one fault at the n-th operation that hit selects, and
// tells whether the fault came to be.
func faultyStory(seed uint64, n int, hit func(disk.Op) bool, fault disk.Fault) (w *world, struck bool, err error) {
	w = newWorld(seed)
	seen := 0
	w.sim.SetHook(func(op disk.Op) disk.Fault {
		if !hit(op) {
			return disk.Fault{}
		}
		if seen++; seen != n {
			return disk.Fault{}
		}
		struck = true
		return fault
	})
	err = w.tell()
	return w, struck, err
}

// everyFault runs a story once for each place a fault can strike. There must be at least places of
// them: a story in which nothing can fail shows nothing.
func everyFault(t *testing.T, places int, hit func(disk.Op) bool, fault disk.Fault, judge func(*world, error) error) {
	const seed = 1
	n := 1
	for struck := true; struck && !t.Failed(); n++ {
		var w *world
		var err error
		w, struck, err = faultyStory(seed, n, hit, fault)
		if err = judge(w, err); err != nil {
			t.Errorf("fault at %d: %v", n, err)
		}
		w.abandon()
	}
	if n < places && !t.Failed() {
		t.Errorf("only %d places for a fault", n)
	}
}

// TestFailingDisk has every write and every sync in turn fail with EIO, once: the store is dead
// from then on, and its next life holds all that was acknowledged, durably.
func TestFailingDisk(t *testing.T) {
	eio := disk.Fault{Err: fmt.Errorf("%w: EIO", disk.ErrFailed)}
	for _, test := range []struct {
		name   string
		places int
		hit    func(disk.Op) bool
	}{
		{"write", 100, func(op disk.Op) bool { return op.Kind == disk.OpWrite }},
		{"sync", 50, func(op disk.Op) bool { return op.Kind == disk.OpSync || op.Kind == disk.OpSyncDir }},
		{"name", 10, func(op disk.Op) bool {
			return op.Kind == disk.OpCreate || op.Kind == disk.OpRename || op.Kind == disk.OpRemove
		}},
	} {
		t.Run(test.name, func(t *testing.T) { everyFault(t, test.places, test.hit, eio, judgeFailed) })
	}
}

func judgeFailed(w *world, err error) error {
	if err != nil && !errors.Is(err, store.ErrFailed) {
		return fmt.Errorf("the story ended with %w", err)
	}
	if err != nil && w.store != nil {
		for range 3 {
			if err := w.act(); err != nil && !errors.Is(err, store.ErrFailed) {
				return fmt.Errorf("the dead store said %w", err)
			}
		}
		if err := w.store.CheckSpace(); !errors.Is(err, store.ErrFailed) {
			return fmt.Errorf("the dead store came back: %w", err)
		}
	}
	w.abandon()
	w.sim.Kill()
	if err := w.open(); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	if err := w.verify(); err != nil {
		return err
	}
	for range 5 {
		if err := w.commit(w.batch()); err != nil {
			return fmt.Errorf("after the restart: %w", err)
		}
	}
	return w.cutAndVerify()
}

// cutAndVerify ends the process with a power cut and looks at what is left.
func (w *world) cutAndVerify() error {
	w.abandon()
	w.sim.PowerCut(w.rng)
	if err := w.open(); err != nil {
		return fmt.Errorf("opened after a power cut: %w", err)
	}
	if err := w.verify(); err != nil {
		return fmt.Errorf("after a power cut: %w", err)
	}
	return nil
}

// TestNoSpaceAtEveryWrite has every write in turn find no room, once, half of it written: no success
// without a record, and service goes on by itself.
func TestNoSpaceAtEveryWrite(t *testing.T) {
	hit := func(op disk.Op) bool { return op.Kind == disk.OpWrite || op.Kind == disk.OpCreate }
	for name, written := range map[string]int{"nothing written": 0, "a part written": 100} {
		full := disk.Fault{Err: fmt.Errorf("%w: ENOSPC", disk.ErrNoSpace), Written: written}
		t.Run(name, func(t *testing.T) { everyFault(t, 100, hit, full, judgeFull) })
	}
}

func judgeFull(w *world, err error) error {
	w.sim.SetHook(nil)
	if w.store == nil { // it found no room to open: then nothing was begun
		if !errors.Is(err, store.ErrNoSpace) {
			return fmt.Errorf("opened on a full disk: %w", err)
		}
		w.sim.Kill()
		if err := w.tell(); err != nil {
			return fmt.Errorf("the story after space returned: %w", err)
		}
	}
	if err != nil && !errors.Is(err, store.ErrNoSpace) {
		return fmt.Errorf("the story ended with %w", err)
	}
	for range 5 {
		if err := w.commit(w.batch()); err != nil {
			return fmt.Errorf("service did not return: %w", err)
		}
	}
	if err := w.verify(); err != nil {
		return err
	}
	return w.cutAndVerify()
}
