package embedded

import (
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/store"
)

// SQLite applies a write-ahead log to whatever database file lies beside it. Beside an older copy
// of the file the two make a database that never was, which no check of SQLite's need notice, and
// whose head, being in the log, is the newest. So each log says which file it continues.
//
// A generation is eight random bytes in a row of its own. The first transaction of every log gives
// the store a new one and keeps the one before, so a log holds both; the file, as it lies there,
// holds the one before, until the log was moved into it, and then the log's own. Any other file is
// not the one that the log continues.
//
// For that the store has to know when a log begins: it is it, not SQLite by itself, that moves a
// log into the file; when all of it was moved, the next transaction begins a new log.

// generationLength is the length of a generation in bytes.
const generationLength = 8

// walState is what is known of the write-ahead log.
type walState struct {
	random io.Reader
	limit  int  // pages from which on it is moved into the file
	pages  int  // in it, after the last transaction
	fresh  bool // all of it is in the file: the next transaction begins a new one
}

// checkpoint moves what the log holds into the file and syncs both. A full disk may refuse: then
// the log stays, and grows.
func (d *database) checkpoint(mode sqlite3.CheckpointMode) error {
	logged, moved, err := d.conn.WALCheckpoint("main", mode)
	if errors.Is(err, sqlite3.FULL) && d.files.err() == nil {
		return nil
	}
	if err == nil {
		d.wal.fresh = logged == moved
	}
	return err
}

// beginGenerations writes the row, in a new store: the file has none before.
func (d *database) beginGenerations() error {
	now, err := d.newGeneration()
	if err != nil {
		return err
	}
	return d.exec(`INSERT INTO generation VALUES(1, zeroblob(8), ?)`, now)
}

// nextGeneration begins a generation in the first transaction of a log.
func (d *database) nextGeneration() error {
	if !d.wal.fresh || fault.Mutant("log-without-generation") {
		return nil
	}
	now, err := d.newGeneration()
	if err != nil {
		return err
	}
	return d.exec(`UPDATE generation SET before = now, now = ?`, now)
}

func (d *database) newGeneration() ([]byte, error) {
	now := make([]byte, generationLength)
	if _, err := io.ReadFull(d.wal.random, now); err != nil {
		return nil, fmt.Errorf("generation: %w", err)
	}
	return now, nil
}

// continued tells whether the file is the one that the log continues. It must be asked before
// anything of the log was moved.
//
// The file is read past SQLite, which shows what the log makes of it: the row is the only one of
// its table and of constant length, so it ends where its page does, with the generation. A power
// cut may have left that page half moved, so each byte may be of the one generation or the other;
// where the file has no such page yet, it is zeros.
func (d *database) continued() error {
	var root int64
	var before, now []byte
	found, err := d.one(`SELECT rootpage, before, now FROM generation, sqlite_schema WHERE name = 'generation'`,
		func(row *sqlite3.Stmt) {
			root, before, now = row.ColumnInt64(0), row.ColumnBlob(1, nil), row.ColumnBlob(2, nil)
		})
	if err != nil {
		return err
	}
	if !found || len(before) != generationLength || len(now) != generationLength {
		return fmt.Errorf("%w: no generation", store.ErrCorrupt)
	}
	file, err := d.files.disk.Open(databaseName)
	if err != nil {
		return err
	}
	var lies [generationLength]byte
	_, err = file.ReadAt(lies[:], root*pageSize-generationLength)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	for i, b := range lies {
		if b != before[i] && b != now[i] && !fault.Mutant("log-of-any-file") {
			return fmt.Errorf("%w: %s-wal continues another copy of it, older or newer: "+
				"put the one back that it was written beside, or restore all from one backup", store.ErrCorrupt, databaseName)
		}
	}
	return nil
}
