// Package embedded is the Metadata Store of one machine: items in SQLite, the journal in segment
// files, both in one folder that one process holds.
//
// A batch that only adds records is one write and one sync of a segment. A batch with changes is
// one SQLite transaction, whose COMMIT is the durable point; its frame stands in the transaction's
// outbox too, and then in the segment, where a later sync covers it. At the start what the segments
// miss comes from the outbox.
//
// It guarantees what package store promises, through power cuts, full disks and failing syncs:
// nothing that was acknowledged is lost, no record stands twice, and a store whose journal and
// items do not belong together is refused rather than opened. After a failed sync every call returns
// store.ErrFailed: the process has to end, and the next start finds out what is durable.
//
// It never opens a folder twice, never writes outside it, and never reads a body.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Names in the store's folder.
const (
	lockName     = "store.lock"
	databaseName = "store.db"
	reserveName  = "store.reserve"
	liveName     = "journal"
	archiveName  = "archive"
)

// Defaults of [Config].
const (
	DefaultLowSpace   = 128 << 20
	DefaultReserve    = 64 << 20
	DefaultKeptEpochs = 10_000
	DefaultCache      = 32 << 20
	DefaultWAL        = 8 << 20
)

// maxChanging is how many changing operations one transaction may carry: few enough that readers,
// who wait for it, do not notice.
const maxChanging = 1000

// Config tells where a store lies and what it may use.
type Config struct {
	// FS is the folder. Required. The store uses the names store.*, journal and archive in it.
	FS disk.FS
	// Rand makes the incarnation of a new store. Required.
	Rand io.Reader
	// SegmentSize is the size of a journal segment in bytes; 0 is [journal.DefaultSegment].
	SegmentSize int64
	// LowSpace is the free space in bytes below which only restricting batches are accepted; 0 is
	// [DefaultLowSpace], negative none.
	LowSpace int64
	// Reserve is the size in bytes of the file that is given up, step by step, for restricting
	// batches; 0 is [DefaultReserve], negative none.
	Reserve int64
	// KeptEpochs is how many of the last epochs [Store.Changes] can tell of; 0 is
	// [DefaultKeptEpochs].
	KeptEpochs uint64
	// Cache is the size in bytes of SQLite's page cache; 0 is [DefaultCache].
	Cache int
	// WAL is how long SQLite's write-ahead log gets, in bytes, before it is moved into the
	// database; 0 is [DefaultWAL]. It is allocated ahead: a sync of a growing file costs thrice
	// that of one which keeps its size.
	WAL int64
	// Spawn runs the journal's background work; nil is a goroutine for each. A test passes its
	// own to decide when it happens.
	Spawn func(func())
}

func (c *Config) defaults() error {
	if c.FS == nil || c.Rand == nil {
		return errors.New("embedded: Config.FS and Config.Rand are required")
	}
	for _, d := range []struct {
		field *int64
		value int64
	}{{&c.LowSpace, DefaultLowSpace}, {&c.Reserve, DefaultReserve}} {
		if *d.field == 0 {
			*d.field = d.value
		}
		*d.field = max(0, *d.field)
	}
	if c.KeptEpochs == 0 {
		c.KeptEpochs = DefaultKeptEpochs
	}
	if c.Cache == 0 {
		c.Cache = DefaultCache
	}
	if c.WAL == 0 {
		c.WAL = DefaultWAL
	}
	return nil
}

// Store is a [store.Store] in a folder. Use [Open].
type Store struct {
	cfg     Config
	lock    io.Closer
	log     *journal.Log
	space   *space
	commits sync.Mutex  // held by Commit
	owed    []outboxRow // what the outbox holds, oldest first; Commit's

	db *database // has its own lock; taken after commits, before mu

	mu   sync.Mutex
	head store.Head
	last [16]byte // id of the last batch; none while head.Position is 0

	failed atomic.Pointer[error] // set once: the store is dead
}

// outboxRow is a frame in the outbox.
type outboxRow struct {
	position uint64
	bytes    int
}

var _ store.Store = (*Store)(nil)

// Open opens the store in the folder, or makes a new one in an empty folder. It returns an error
// matching
//   - disk.ErrLocked when another process holds it,
//   - store.ErrCorrupt when journal and items do not belong together, or bytes cannot be what was
//     written: it says which side was rolled back and what can be done, and the folder is as it
//     was,
//   - store.ErrFailed, store.ErrNoSpace as the disk says.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	lock, err := cfg.FS.Lock(lockName)
	if err != nil {
		return nil, fmt.Errorf("embedded: open: %w", storeError(err))
	}
	s := &Store{cfg: cfg, lock: lock}
	if err = rehearse(cfg); err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: open: %w", err), s.Close())
	}
	return s, nil
}

// storeError gives the errors of disk and journal the store's meaning.
func storeError(err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrNoSpace), errors.Is(err, store.ErrCorrupt):
		return err
	case errors.Is(err, disk.ErrFailed):
		return fmt.Errorf("%w: %w", store.ErrFailed, err)
	case errors.Is(err, disk.ErrNoSpace):
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	case errors.Is(err, journal.ErrMalformed):
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	return err
}

// alive returns store.ErrFailed once the store is dead.
func (s *Store) alive() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	if err := s.log.Err(); err != nil { // background work found it
		return s.die(err)
	}
	return nil
}

// die makes the store dead.
func (s *Store) die(err error) error {
	if !errors.Is(err, store.ErrFailed) {
		err = fmt.Errorf("%w: %w", store.ErrFailed, err)
	}
	s.failed.CompareAndSwap(nil, &err)
	return *s.failed.Load()
}

// check gives an error the store's meaning and remembers a failure.
func (s *Store) check(err error) error {
	if err = storeError(err); errors.Is(err, store.ErrFailed) {
		return s.die(err)
	}
	return err
}

// unavailable returns an error when the store is dead or the context has ended.
func (s *Store) unavailable(ctx context.Context) error {
	if err := s.alive(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// Head implements [store.Store].
func (s *Store) Head(ctx context.Context) (store.Head, error) {
	if err := s.unavailable(ctx); err != nil {
		return store.Head{}, err
	}
	head, _ := s.where()
	return head, nil
}

// where returns the head and the last batch's id.
func (s *Store) where() (store.Head, [16]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, s.last
}

// advance moves the head behind a durable batch.
func (s *Store) advance(b *store.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head, s.last = b.Next, b.ID
}

// Limits implements [store.Store].
func (s *Store) Limits() store.Limits {
	return store.Limits{MaxChanging: maxChanging, LowSpace: s.space.low.Load()}
}

// Lag returns why full journal segments wait to be archived, or nil: something for an operator to
// look at, without which nothing is lost.
func (s *Store) Lag() error { return s.log.Lag() }

// Close implements [store.Store].
func (s *Store) Close() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.close())
	}
	if s.space != nil {
		errs = append(errs, s.space.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
