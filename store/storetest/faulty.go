package storetest

import (
	"context"
	"iter"
	"sync"

	"github.com/haven-health/haven/store"
)

// Faulty is a store that fails where a test wants it to, and is otherwise the store it wraps. It
// is safe for concurrent use as far as that is.
type Faulty struct {
	store.Store

	mu      sync.Mutex
	commits int
	planned map[int]fault
	reads   error
	hang    *hang // nil: none is planned
}

type fault struct {
	written bool
	err     error
}

// NewFaulty wraps a store; no fault is planned.
func NewFaulty(s store.Store) *Faulty {
	return &Faulty{Store: s, planned: map[int]fault{}}
}

// FailCommit makes the n-th commit from now on (1 is the next) return err. Written tells whether
// the batch is committed all the same. For what a caller has to survive:
//
//	FailCommit(n, false, store.ErrUncertain)   // lost on the way there
//	FailCommit(n, true, store.ErrUncertain)    // lost on the way back
//	FailCommit(n, false, store.ErrUnavailable) // never asked
//	FailCommit(n, false, store.ErrNoSpace)
//
// Of a batch that the store itself refuses, the store's error is returned instead.
func (f *Faulty) FailCommit(n int, written bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned[f.commits+n] = fault{written: written, err: err}
}

// Heal forgets the faults of commits that are planned.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.planned)
}

// FailReads makes every method that reads return err, until it is called with nil.
func (f *Faulty) FailReads(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads = err
}

// Hang makes the next commit neither return nor do anything until release is called. Reached is
// closed when it was tried.
func (f *Faulty) Hang() (reached <-chan struct{}, release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &hang{make(chan struct{}), make(chan struct{})}
	f.hang = h
	return h.reached, func() { close(h.release) }
}

type hang struct{ reached, release chan struct{} }

// Commits returns how many commits were tried.
func (f *Faulty) Commits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commits
}

// Commit implements [store.Store].
func (f *Faulty) Commit(ctx context.Context, b *store.Batch) error {
	f.mu.Lock()
	f.commits++
	planned, fails := f.planned[f.commits]
	hung := f.hang
	f.hang = nil
	f.mu.Unlock()
	if hung != nil {
		close(hung.reached)
		<-hung.release
	}
	if fails && !planned.written {
		return planned.err
	}
	if err := f.Store.Commit(ctx, b); err != nil || !fails {
		return err
	}
	return planned.err
}

func (f *Faulty) readError() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// Get implements [store.Store].
func (f *Faulty) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	if err := f.readError(); err != nil {
		return nil, store.Epoch{}, err
	}
	return f.Store.Get(ctx, refs...)
}

// List implements [store.Store].
func (f *Faulty) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := f.readError(); err != nil {
		return store.Page{}, err
	}
	return f.Store.List(ctx, q)
}

// Due implements [store.Store].
func (f *Faulty) Due(ctx context.Context, q store.DueQuery) (store.Page, error) {
	if err := f.readError(); err != nil {
		return store.Page{}, err
	}
	return f.Store.Due(ctx, q)
}

// Head implements [store.Store].
func (f *Faulty) Head(ctx context.Context) (store.Head, error) {
	if err := f.readError(); err != nil {
		return store.Head{}, err
	}
	return f.Store.Head(ctx)
}

// Changes implements [store.Store].
func (f *Faulty) Changes(ctx context.Context, since store.Epoch) ([]store.Moved, error) {
	if err := f.readError(); err != nil {
		return nil, err
	}
	return f.Store.Changes(ctx, since)
}

// Records implements [store.Store].
func (f *Faulty) Records(ctx context.Context, from uint64) iter.Seq2[store.Frame, error] {
	if err := f.readError(); err != nil {
		return func(yield func(store.Frame, error) bool) { yield(store.Frame{}, err) }
	}
	return f.Store.Records(ctx, from)
}
