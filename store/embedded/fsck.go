package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"

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

// Fsck checks all that the store can check without the MACs of its items: SQLite's own structure,
// the whole chain of records from the first, the outbox against the journal, and the journal
// against the head. The database answers nobody else while SQLite checks itself, some seconds for
// a gigabyte. An error means that it could not finish.
func (s *Store) Fsck(ctx context.Context) ([]Finding, error) {
	var found []Finding
	err := s.ask(ctx, func(d *database) error {
		return d.rows(`PRAGMA integrity_check(100)`, func(row *sqlite3.Stmt) error {
			if text := row.ColumnText(0); text != "ok" {
				found = append(found, Finding{"database", text})
			}
			return nil
		})
	})
	if errors.Is(err, store.ErrCorrupt) {
		found, err = append(found, Finding{"database", err.Error()}), nil
	}
	if err != nil {
		return found, err
	}
	more, err := s.Scrub(ctx)
	return append(found, more...), err
}

// Scrub checks what [Store.Fsck] does except SQLite's structure, in the background of a running
// store: commits and reads go on.
func (s *Store) Scrub(ctx context.Context) ([]Finding, error) {
	if err := s.unavailable(ctx); err != nil {
		return nil, err
	}
	verified, err := s.log.Verify(ctx)
	if errors.Is(err, journal.ErrMalformed) || errors.Is(err, journal.ErrVersion) {
		return []Finding{{"journal", err.Error()}}, nil
	}
	if err != nil {
		return nil, s.check(err)
	}
	found, err := s.compareOutbox(ctx)
	if err != nil {
		return found, err
	}
	head, err := s.db.head()
	if err != nil {
		return found, s.check(s.db.meaning(err))
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
func (s *Store) compareOutbox(ctx context.Context) ([]Finding, error) {
	owed, err := s.db.outboxRows()
	if err != nil {
		return nil, s.check(s.db.meaning(err))
	}
	var found []Finding
	for _, row := range owed {
		frame, err := s.db.outboxFrame(row.position)
		if err != nil {
			return found, s.check(err)
		}
		for data, err := range s.log.Records(ctx, row.position, row.position+1) {
			if err != nil {
				return found, s.check(storeError(err))
			}
			if frame != nil && !bytes.Equal(frame, data) {
				found = append(found, Finding{"outbox", fmt.Sprintf("the frame of record %d differs from the journal's", row.position)})
			}
		}
	}
	return found, nil
}
