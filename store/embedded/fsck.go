package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Finding is something that is not as it was written.
type Finding struct {
	Place string // "database", "journal", "outbox", "head"
	What  string
}

// String returns the finding as one line.
func (f Finding) String() string { return f.Place + ": " + f.What }

// Fsck checks all that the store can check without the MACs of its items: SQLite's own structure
// and schema, the whole chain of records from the first, the outbox against the journal, and the journal
// against the head. The database answers nobody else while SQLite checks itself, some seconds for
// a gigabyte. What is damaged is a finding, and what can still be read is checked all the same; an
// error means that it could not finish, and comes with what was found.
func (s *Store) Fsck(ctx context.Context) ([]Finding, error) {
	if err := s.unavailable(ctx); err != nil {
		return nil, err
	}
	found, err := s.db.structure()
	if err != nil {
		return found, s.check(err)
	}
	more, err := s.Scrub(ctx)
	return append(found, more...), err
}

// Examine opens the store as [Open] does, for looking alone, in one goroutine: not a byte of the
// folder is changed. What a start repairs is repaired in memory, and what is committed is gone
// with Close.
func Examine(ctx context.Context, cfg Config) (*Store, error) {
	s, err := examine(ctx, cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: open: %w", err), s.Close())
	}
	return s, nil
}

// Inspect checks what can be read of a store that [Open] refuses, as Fsck does, and changes nothing.
// Why it is refused is not among the findings: Open tells it. Of one that Open takes it finds what
// Fsck does.
func Inspect(ctx context.Context, cfg Config) ([]Finding, error) {
	var found []Finding
	s, err := examine(ctx, cfg)
	if err == nil {
		found, err = s.Fsck(ctx)
	} else if errors.Is(err, store.ErrCorrupt) {
		found, err = s.remains(ctx)
	}
	return found, errors.Join(err, s.Close())
}

// examine starts the store on an overlay, under the folder's own lock. It is to be closed also
// after an error.
func examine(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{lock: closers{}}
	if err := cfg.defaults(); err != nil {
		return s, err
	}
	if err := ctx.Err(); err != nil {
		return s, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	lock, err := cfg.FS.Lock(lockName)
	if err != nil {
		return s, storeError(err)
	}
	s, err = overlaid(cfg)
	s.lock = closers{s.lock, lock}
	return s, err
}

// closers are closed together.
type closers []io.Closer

// Close implements [io.Closer].
func (all closers) Close() error {
	var errs []error
	for _, c := range all {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// remains checks as much as a refused start had opened.
func (s *Store) remains(ctx context.Context) (found []Finding, err error) {
	if s.db != nil {
		if found, err = s.db.structure(); err != nil {
			return found, err
		}
	}
	if s.log != nil {
		_, err = s.log.Verify(ctx)
		err = damage(&found, "journal", err)
	}
	return found, err
}

// damage makes a finding of an error that tells of damage, and returns any other.
func damage(found *[]Finding, place string, err error) error {
	if err = storeError(err); errors.Is(err, store.ErrCorrupt) || errors.Is(err, journal.ErrVersion) {
		*found, err = append(*found, Finding{place, err.Error()}), nil
	}
	return err
}

// structure is what SQLite finds when it checks itself, and what of its schema is not Haven's.
func (d *database) structure() (found []Finding, err error) {
	d.Lock()
	defer d.Unlock()
	found, err = d.strangers()
	if err := damage(&found, "database", d.meaning(err)); err != nil {
		return found, err
	}
	err = d.rows(`PRAGMA integrity_check(100)`, func(row *sqlite3.Stmt) error {
		if text := row.ColumnText(0); text != "ok" {
			found = append(found, Finding{"database", text})
		}
		return nil
	})
	return found, damage(&found, "database", d.meaning(err))
}

// Scrub checks what [Store.Fsck] does except SQLite's structure, in the background of a running
// store: commits and reads go on.
func (s *Store) Scrub(ctx context.Context) ([]Finding, error) {
	if err := s.unavailable(ctx); err != nil {
		return nil, err
	}
	var found []Finding
	verified, err := s.log.Verify(ctx)
	if err := damage(&found, "journal", err); err != nil {
		return found, s.check(err)
	}
	if len(found) > 0 {
		return found, nil // there is nothing to compare with
	}
	if err := damage(&found, "outbox", s.compareOutbox(ctx, &found)); err != nil {
		return found, s.check(err)
	}
	head, err := s.db.head()
	if err := damage(&found, "head", s.db.meaning(err)); err != nil || head == (store.Head{}) {
		return found, s.check(err)
	}
	// A commit that came between moved the head; it is compared when nothing did.
	if now, _ := s.where(); now.Position == verified.End.Position {
		if err := agree(head, verified.End); err != nil {
			found = append(found, Finding{"head", err.Error()})
		}
	}
	return found, nil
}

// compareOutbox finds frames in the outbox that are not those in the segments.
func (s *Store) compareOutbox(ctx context.Context, found *[]Finding) error {
	owed, err := s.db.outboxRows()
	if err != nil {
		return s.db.meaning(err)
	}
	for _, row := range owed {
		frame, err := s.db.outboxFrame(row.position)
		if err != nil {
			return err
		}
		for data, err := range s.log.Records(ctx, row.position, row.position+1) {
			if err != nil {
				return err
			}
			if frame != nil && !bytes.Equal(frame, data) {
				*found = append(*found, Finding{"outbox", fmt.Sprintf("the frame of record %d differs from the journal's", row.position)})
			}
		}
	}
	return nil
}
