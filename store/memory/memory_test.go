package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		s := memory.New(7)
		return storetest.Harness{Open: func() (store.Store, error) { return s, nil }}
	})
}

// A wrapper without planned faults cannot be told from what it wraps.
func TestFaultyWithoutFaults(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		s := storetest.NewFaulty(memory.New(7))
		return storetest.Harness{Open: func() (store.Store, error) { return s, nil }}
	})
}

func TestFaultyReads(t *testing.T) {
	ctx := context.Background()
	s := storetest.NewFaulty(memory.New(1))
	s.FailReads(store.ErrUnavailable)
	_, _, errGet := s.Get(ctx)
	_, errList := s.List(ctx, store.Query{Kind: store.KindKey, Limit: 1})
	_, errDue := s.Due(ctx, store.DueQuery{Before: 1, Limit: 1})
	_, errHead := s.Head(ctx)
	_, errChanges := s.Changes(ctx, store.Epoch{Incarnation: 1})
	var errRecords error
	for _, err := range s.Records(ctx, 0) {
		errRecords = err
	}
	for i, err := range []error{errGet, errList, errDue, errHead, errChanges, errRecords} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("read %d: %v", i, err)
		}
	}
	s.FailReads(nil)
	if _, err := s.Head(ctx); err != nil {
		t.Error(err)
	}
}

func TestEpochsAreForgotten(t *testing.T) {
	ctx := context.Background()
	s := memory.New(1)
	build := storetest.NewBuilder(store.Head{Epoch: store.Epoch{Incarnation: 1}})
	const extra = 3
	for range memory.KeptEpochs + extra {
		b := build.Batch(1, nil, store.Ref{Kind: store.KindKey, ID: "a"})
		if err := s.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
		build.Done(b)
	}
	if _, err := s.Changes(ctx, store.Epoch{Incarnation: 1, N: extra - 1}); !errors.Is(err, store.ErrTooOld) {
		t.Errorf("one too old: %v", err)
	}
	moved, err := s.Changes(ctx, store.Epoch{Incarnation: 1, N: extra})
	if err != nil || len(moved) != memory.KeptEpochs || moved[0].Epoch.N != extra+1 {
		t.Errorf("%d epochs, %v", len(moved), err)
	}
	if _, err := s.Changes(ctx, store.Epoch{Incarnation: 1, N: memory.KeptEpochs + extra + 1}); !errors.Is(err, store.ErrTooOld) {
		t.Errorf("an epoch that never was: %v", err)
	}
}
