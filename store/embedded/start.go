package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// readable opens SQLite's files once before SQLite does, which would tell wrong rights to them as
// a disk that fails.
func readable(files disk.FS) error {
	for _, name := range []string{databaseName, databaseName + "-wal"} {
		file, err := files.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return storeError(err)
		}
		if err := file.Close(); err != nil {
			return storeError(err)
		}
	}
	return nil
}

// rehearse starts the store on an overlay of its folder. What start would refuse is refused here,
// before anything was written: SQLite alone would make a database where one is missing, and move
// into it, or remove, the write-ahead log that belongs to another. So whoever puts back what was
// missing finds the rest as it was.
func rehearse(cfg Config) error {
	trial, err := overlaid(cfg)
	if ended := trial.Close(); err == nil {
		err = storeError(ended)
	}
	return err
}

// overlaid starts the store on an overlay of its folder: whatever it does, the folder stays as it
// is. After an error the store has what could be opened. It is to be closed either way.
func overlaid(cfg Config) (*Store, error) {
	over := disk.NewOverlay(cfg.FS)
	s := &Store{cfg: cfg, lock: over}
	s.cfg.FS, s.cfg.Spawn = over, func(func()) {}
	if err := readable(cfg.FS); err != nil {
		return s, err
	}
	if err := complete(cfg.FS); err != nil {
		return s, err
	}
	return s, s.start()
}

// complete refuses a folder with records or changes in it and no database: a new store has neither
// before its database is durable.
func complete(files disk.FS) error {
	size, err := sizeOf(files, databaseName)
	if err != nil || size > 0 {
		return err
	}
	wal, err := sizeOf(files, databaseName+"-wal")
	if err != nil {
		return err
	}
	var rest []string
	if wal > 0 {
		rest = append(rest, databaseName+"-wal")
	}
	for _, name := range []string{liveName, archiveName} {
		entries, err := files.ReadDir(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return storeError(err)
		}
		if len(entries) > 0 {
			rest = append(rest, name)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s is missing or empty, and the folder is no new store's, for it holds %s: "+
		"put %s back, or restore all from one backup; nothing was changed",
		store.ErrCorrupt, databaseName, strings.Join(rest, ", "), databaseName)
}

// sizeOf returns a file's size, 0 when there is none.
func sizeOf(files disk.FS, name string) (int64, error) {
	file, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, storeError(err)
	}
	size, err := file.Size()
	return size, storeError(errors.Join(err, file.Close()))
}

// start opens what the folder holds and brings journal and database together.
func (s *Store) start() error {
	var err error
	if s.space, err = openSpace(&s.cfg); err != nil {
		return storeError(err)
	}
	if s.db, err = openDatabase(&s.cfg); err != nil {
		return storeError(err)
	}
	head, err := s.db.head()
	if err != nil {
		return s.db.meaning(err)
	}
	var begin *journal.State
	if head.Position == 0 {
		begin = &journal.State{Incarnation: head.Epoch.Incarnation, Epoch: head.Epoch.N}
	}
	s.log, err = journal.OpenLog(journal.LogConfig{
		FS: s.cfg.FS, Live: liveName, Archive: archiveName, SegmentSize: s.cfg.SegmentSize, Spawn: s.cfg.Spawn,
	}, begin, s.db.outboxFrame)
	if err != nil {
		return storeError(err)
	}
	state := s.log.State()
	if err := agree(head, state); err != nil {
		return err
	}
	if s.owed, err = s.db.outboxRows(); err != nil {
		return s.db.meaning(err)
	}
	s.head = store.Head{Epoch: head.Epoch, Position: state.Position, Chain: state.Chain}
	s.last = state.Batch
	return nil
}

// agree tells whether the journal and the database belong together: the journal's last record of a
// change is the database's last change. Otherwise one of them was rolled back, replaced or lost a
// part; opening both would revive rights that were taken away, or hide what was done.
func agree(head store.Head, state journal.State) error {
	changed := state.Changed
	switch {
	case state.Incarnation != head.Epoch.Incarnation:
		return fmt.Errorf("%w: journal and database are of different stores (incarnations %016x and %016x): "+
			"restore both from one backup", store.ErrCorrupt, state.Incarnation, head.Epoch.Incarnation)
	case changed.Position < head.Position:
		return fmt.Errorf("%w: the journal was rolled back or lost records: its last change ends at record %d, "+
			"the database's at %d: put the newer %s and %s folders back, or restore all from one backup",
			store.ErrCorrupt, changed.Position, head.Position, liveName, archiveName)
	case changed.Position > head.Position:
		return fmt.Errorf("%w: the database was rolled back: its last change ends at record %d, the journal's at %d: "+
			"put the newer %s back (with its -wal file), or restore all from one backup",
			store.ErrCorrupt, head.Position, changed.Position, databaseName)
	case changed.Chain != head.Chain || state.Epoch != head.Epoch.N:
		return fmt.Errorf("%w: journal and database tell different histories of record %d: "+
			"one of them was replaced: restore all from one backup", store.ErrCorrupt, head.Position)
	}
	return nil
}

// head reads the head after the last batch with changes.
func (d *database) head() (store.Head, error) {
	d.Lock()
	defer d.Unlock()
	var h store.Head
	var chain []byte
	found, err := d.one(`SELECT inc, n, position, chain FROM head`, func(row *sqlite3.Stmt) {
		h.Epoch = store.Epoch{Incarnation: uint64(row.ColumnInt64(0)), N: uint64(row.ColumnInt64(1))}
		h.Position = uint64(row.ColumnInt64(2))
		chain = row.ColumnBlob(3, nil)
	})
	if err == nil && (!found || len(chain) != len(h.Chain)) {
		return h, fmt.Errorf("%w: %s has no head", store.ErrCorrupt, databaseName)
	}
	copy(h.Chain[:], chain)
	return h, err
}

// outboxFrame returns the frame that begins at the position, or nil.
func (d *database) outboxFrame(position uint64) (frame []byte, err error) {
	d.Lock()
	defer d.Unlock()
	_, err = d.one(`SELECT frame FROM outbox WHERE position = ?`, func(row *sqlite3.Stmt) {
		frame = row.ColumnBlob(0, nil)
	}, int64(position))
	if err != nil {
		return nil, d.meaning(err)
	}
	return frame, nil
}

// outboxRows lists what the outbox holds.
func (d *database) outboxRows() ([]outboxRow, error) {
	d.Lock()
	defer d.Unlock()
	var owed []outboxRow
	err := d.rows(`SELECT position, length(frame) FROM outbox ORDER BY position`, func(row *sqlite3.Stmt) error {
		owed = append(owed, outboxRow{position: uint64(row.ColumnInt64(0)), bytes: row.ColumnInt(1)})
		return nil
	})
	return owed, err
}
