package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/haven-health/haven/store"
)

// What the file says it is, and the version of the schema below.
const (
	applicationID = 0x48564e53 // "HVNS"
	schemaVersion = 1
)

// The schema. An item's key is its kind and its id, one blob, so that one index orders all. NULL
// stands for "not indexed" and "never due", so that the partial indexes stay small. The numbers are
// uint64 kept as the int64 of the same bits, except due.
const schema = `
CREATE TABLE item(
  key BLOB NOT NULL, rev INTEGER NOT NULL, inc INTEGER NOT NULL, n INTEGER NOT NULL, due INTEGER,
  i0 BLOB, i1 BLOB, i2 BLOB, i3 BLOB, mac BLOB NOT NULL, body BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX item_key ON item(key);
CREATE INDEX item_due ON item(due, key) WHERE due IS NOT NULL;
CREATE INDEX item_i0 ON item(i0, key) WHERE i0 IS NOT NULL;
CREATE INDEX item_i1 ON item(i1, key) WHERE i1 IS NOT NULL;
CREATE INDEX item_i2 ON item(i2, key) WHERE i2 IS NOT NULL;
CREATE INDEX item_i3 ON item(i3, key) WHERE i3 IS NOT NULL;
CREATE TABLE moved(n INTEGER PRIMARY KEY, touched BLOB NOT NULL) STRICT;
CREATE TABLE outbox(position INTEGER PRIMARY KEY, frame BLOB NOT NULL) STRICT;
CREATE TABLE head(
  id INTEGER PRIMARY KEY CHECK (id = 1), inc INTEGER NOT NULL, n INTEGER NOT NULL,
  position INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
CREATE TABLE generation(id INTEGER PRIMARY KEY CHECK (id = 1), before BLOB NOT NULL, now BLOB NOT NULL) STRICT;
`

// pragmas of the one connection. EXCLUSIVE comes before WAL: then SQLite needs no shared memory.
// secure_delete, because what was erased must not lie in free pages. When the write-ahead log is
// moved into the file, the store decides: see generation.go.
const pragmas = `
PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF;
PRAGMA cell_size_check=ON; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;
PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-%d;
`

// pageSize is SQLite's page, in bytes; walFrame is what one takes in the write-ahead log.
const (
	pageSize = 4096
	walFrame = pageSize + 24
)

// database is the one connection to SQLite. The lock is held for each question and each
// transaction, so that every reader sees one snapshot.
type database struct {
	files *fileSystem
	name  string // of the VFS, as registered

	sync.Mutex
	conn  *sqlite3.Conn
	stmts map[string]*sqlite3.Stmt // prepared, by their text
	key   []byte                   // scratch
	wal   walState
}

// openDatabase opens or makes the file.
func openDatabase(cfg *Config) (*database, error) {
	d := &database{files: &fileSystem{disk: cfg.FS, wal: cfg.WAL}, stmts: map[string]*sqlite3.Stmt{}}
	d.wal.random, d.wal.limit = cfg.Rand, int(max(1, cfg.WAL/walFrame))
	d.name = fmt.Sprintf("haven-%p", d.files) // unique while it is registered
	vfs.Register(d.name, d.files)
	conn, err := sqlite3.OpenFlags("file:"+databaseName+"?vfs="+d.name,
		sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		err = d.meaning(err)
		vfs.Unregister(d.name)
		return nil, fmt.Errorf("%s: %w", databaseName, err)
	}
	d.conn = conn
	err = conn.Exec(fmt.Sprintf(pragmas, cfg.Cache>>10))
	conn.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		d.wal.pages = pages
		return nil
	})
	if err == nil {
		err = d.prepareSchema(cfg.Rand)
	}
	if err == nil {
		err = d.continued()
	}
	if err == nil {
		err = d.writeAgain()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", databaseName, d.meaning(err)), d.close())
	}
	return d, nil
}

// writeAgain moves all that the write-ahead log holds into the database and syncs both. After a
// failed sync of an earlier process the log's pages may be in memory only, and look clean: read
// and written elsewhere they are durable. A full disk may refuse; then the log stays.
func (d *database) writeAgain() error { return d.checkpoint(sqlite3.CHECKPOINT_RESTART) }

// prepareSchema makes the tables of a new store, under a new incarnation, and refuses a file that
// is not ours, or not any more, or of a later release.
func (d *database) prepareSchema(random io.Reader) error {
	application, version := int64(0), int64(0)
	for pragma, value := range map[string]*int64{"application_id": &application, "user_version": &version} {
		if _, err := d.one("PRAGMA "+pragma, func(row *sqlite3.Stmt) { *value = row.ColumnInt64(0) }); err != nil {
			return err
		}
	}
	switch {
	case application == applicationID && version == schemaVersion:
		return d.checkSchema()
	case application == applicationID && version > schemaVersion:
		return fmt.Errorf("schema version %d was written by a later release: use that one", version)
	case application != 0 || version != 0:
		return fmt.Errorf("%w: application %#x, version %d: not a store", store.ErrCorrupt, application, version)
	}
	var incarnation [8]byte
	if _, err := io.ReadFull(random, incarnation[:]); err != nil {
		return fmt.Errorf("incarnation: %w", err)
	}
	inc := int64(binary.BigEndian.Uint64(incarnation[:]))
	if inc == 0 {
		inc = 1
	}
	return d.transaction(func() error {
		if err := d.conn.Exec(fmt.Sprintf("%s PRAGMA application_id=%d; PRAGMA user_version=%d;",
			schema, applicationID, schemaVersion)); err != nil {
			return err
		}
		if err := d.exec(`INSERT INTO head VALUES(1, ?, 0, 0, zeroblob(32))`, inc); err != nil {
			return err
		}
		return d.beginGenerations()
	})
}

// close ends the connection. A dead disk cannot stop it.
func (d *database) close() error {
	d.Lock()
	defer d.Unlock()
	if d.conn == nil {
		return nil
	}
	var errs []error
	for _, stmt := range d.stmts {
		errs = append(errs, stmt.Close())
	}
	d.stmts = nil
	errs = append(errs, d.conn.Close())
	d.conn = nil
	vfs.Unregister(d.name)
	return errors.Join(errs...)
}

// meaning gives SQLite's errors the store's meaning. The first failure of the disk wins, whatever
// SQLite made of it.
func (d *database) meaning(err error) error {
	if failed := d.files.err(); failed != nil {
		return fmt.Errorf("%w: %w", store.ErrFailed, failed)
	}
	var code sqlite3.ErrorCode
	if err == nil || !errors.As(err, &code) {
		return storeError(err)
	}
	switch code {
	case sqlite3.FULL:
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	case sqlite3.CORRUPT, sqlite3.NOTADB, sqlite3.ERROR: // every statement is ours: an error is the file's
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	case sqlite3.IOERR, sqlite3.CANTOPEN, sqlite3.READONLY, sqlite3.NOMEM:
		return fmt.Errorf("%w: %w", store.ErrFailed, err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// transaction runs work in a transaction and commits it, or undoes it when work or the commit
// fails.
func (d *database) transaction(work func() error) error {
	if err := d.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	err := work()
	if err == nil {
		err = d.exec(`COMMIT`)
	}
	if err == nil {
		return nil
	}
	if !d.conn.GetAutocommit() { // some errors undo it themselves
		if undo := d.exec(`ROLLBACK`); undo != nil {
			return fmt.Errorf("%w: undo: %w: %w", store.ErrFailed, undo, err)
		}
	}
	return err
}

// prepared returns the statement of a constant text.
func (d *database) prepared(sql string) (*sqlite3.Stmt, error) {
	if stmt := d.stmts[sql]; stmt != nil {
		return stmt, nil
	}
	stmt, _, err := d.conn.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	d.stmts[sql] = stmt
	return stmt, nil
}

// bind sets the parameters of a statement: int64, int, or []byte, of which nil is NULL.
func bind(stmt *sqlite3.Stmt, args []any) error {
	for i, arg := range args {
		var err error
		switch v := arg.(type) {
		case int64:
			err = stmt.BindInt64(i+1, v)
		case int:
			err = stmt.BindInt64(i+1, int64(v))
		case []byte:
			err = stmt.BindBlob(i+1, v)
		default:
			err = fmt.Errorf("%w: parameter of type %T", store.ErrInvalid, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rows runs a question and calls each for every row. What a row returns raw is valid within each.
func (d *database) rows(sql string, each func(*sqlite3.Stmt) error, args ...any) (err error) {
	stmt, err := d.prepared(sql)
	if err != nil {
		return err
	}
	defer func() {
		if reset := stmt.Reset(); err == nil { // it repeats the error of the last step
			err = reset
		}
	}()
	if err := bind(stmt, args); err != nil {
		return err
	}
	for stmt.Step() {
		if err := each(stmt); err != nil {
			return err
		}
	}
	return stmt.Err()
}

// one runs a question that has at most one row, and tells whether it had.
func (d *database) one(sql string, read func(*sqlite3.Stmt), args ...any) (found bool, err error) {
	err = d.rows(sql, func(row *sqlite3.Stmt) error {
		found = true
		read(row)
		return nil
	}, args...)
	return found, err
}

// exec runs a statement without rows.
func (d *database) exec(sql string, args ...any) error {
	return d.rows(sql, func(*sqlite3.Stmt) error { return nil }, args...)
}
