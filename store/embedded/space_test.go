package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/storetest"
)

// insertBig is a batch that needs about 4 KiB of room in the database.
func (w *world) insertBig(restricting bool) *store.Batch {
	it := storetest.Item(store.KindKey, fmt.Sprintf("big %d", len(w.acked)), "")
	it.Body = bytes.Repeat([]byte{1}, 4000)
	b := w.build.Batch(1, []store.Change{storetest.Put(0, 0, it)})
	b.Restricting = restricting
	return b
}

// fullDisk is a world whose disk is full: the last batch was refused.
func fullDisk(t *testing.T) *world {
	t.Helper()
	w := newWorld(1)
	w.config.LowSpace, w.config.Reserve = 64<<10, 128<<10
	w.sim.SetCapacity(1 << 20)
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		err := w.commit(w.insertBig(false))
		if errors.Is(err, store.ErrNoSpace) {
			if n < 20 {
				t.Fatalf("full after %d batches", n)
			}
			return w
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLowSpaceRefusesAllButRestricting(t *testing.T) {
	w := fullDisk(t)
	defer w.abandon()
	free, err := w.sim.Free()
	if err != nil || free < 32<<10 || !w.store.Limits().LowSpace {
		t.Fatalf("refused with %d bytes free, limits %+v, %v", free, w.store.Limits(), err)
	}
	if err := w.commit(w.build.Batch(1, nil)); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("uses on a full disk: %v", err)
	}
	passed := 0
	for err = nil; err == nil; passed++ {
		err = w.commit(w.insertBig(true))
	}
	if !errors.Is(err, store.ErrNoSpace) {
		t.Fatal(err)
	}
	// A batch writes its pages to the log, its frame to the segment: the threshold and the
	// reserve are good for some.
	if passed < 5 {
		t.Errorf("only %d restricting batches passed", passed)
	}
	if err := w.verify(); err != nil {
		t.Error(err)
	}
	if err := w.cutAndVerify(); err != nil {
		t.Error(err)
	}
}

func TestServiceReturnsWithSpace(t *testing.T) {
	w := fullDisk(t)
	defer w.abandon()
	for err := error(nil); err == nil; {
		err = w.commit(w.insertBig(true))
	}
	w.sim.SetCapacity(4 << 20)
	if err := w.store.CheckSpace(); err != nil || w.store.Limits().LowSpace {
		t.Fatalf("space is back: %v, limits %+v", err, w.store.Limits())
	}
	for range 10 {
		if err := w.commit(w.batch()); err != nil {
			t.Fatal(err)
		}
	}
	if reserve, err := w.sim.ReadFile("store.reserve", 1<<20); err != nil || len(reserve) != 128<<10 {
		t.Errorf("the reserve was not restored: %d bytes, %v", len(reserve), err)
	}
	if err := w.cutAndVerify(); err != nil {
		t.Error(err)
	}
}

// A commit attempt alone finds that space is back: nobody needs to ask.
func TestServiceReturnsByItself(t *testing.T) {
	w := fullDisk(t)
	defer w.abandon()
	w.sim.SetCapacity(4 << 20)
	if err := w.commit(w.build.Batch(1, nil)); err != nil {
		t.Fatal(err)
	}
	if w.store.Limits().LowSpace {
		t.Error("space is still called low")
	}
}

// A store opens on a full disk and takes rights away there.
func TestOpensOnFullDisk(t *testing.T) {
	w := fullDisk(t)
	defer w.abandon()
	w.abandon()
	w.sim.Kill()
	w.sim.SetCapacity(w.sim.Used())
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	if !w.store.Limits().LowSpace {
		t.Error("space is not called low")
	}
	if err := w.commit(w.insertBig(true)); err != nil {
		t.Errorf("restricting batch: %v", err)
	}
	if _, err := w.store.Head(context.Background()); err != nil {
		t.Error(err)
	}
	if err := w.cutAndVerify(); err != nil {
		t.Error(err)
	}
}
