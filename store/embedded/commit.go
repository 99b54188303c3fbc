package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// The outbox is emptied by the transaction after a sync of the segment. If no batch syncs it, the
// next batch with changes does when the outbox holds this much.
const (
	maxOwed      = 64
	maxOwedBytes = 1 << 20
)

// Commit implements [store.Store]. The context is asked once, before anything is written.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	s.commits.Lock()
	defer s.commits.Unlock()
	if err := s.unavailable(ctx); err != nil {
		return err
	}
	if err := b.Check(s.Limits()); err != nil {
		return err
	}
	head, last := s.where()
	if head.Position != 0 && b.ID == last {
		return nil
	}
	if b.Seen != head {
		return store.ErrMoved
	}
	frame, err := checkFrame(b)
	if err != nil {
		return err
	}
	if err := s.admit(b); err != nil {
		return err
	}
	if len(b.Changes) == 0 && len(b.Touched) == 0 {
		return s.commitUses(b, frame)
	}
	return s.commitChanges(b, frame)
}

// checkFrame tells whether the frame is the batch's: what is written here is cut off as torn at
// the next start unless it leads from one head to the other.
func checkFrame(b *store.Batch) (*journal.Frame, error) {
	f, err := journal.DecodeFrame(b.Frame)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	if f.Position != b.Seen.Position || f.Before != b.Seen.Chain || f.Batch != b.ID ||
		f.Position+uint64(f.Count) != b.Next.Position || f.After != b.Next.Chain ||
		f.Incarnation != b.Next.Epoch.Incarnation || f.Epoch != b.Next.Epoch.N || f.Changes != (len(b.Changes) > 0) {
		return nil, fmt.Errorf("%w: the frame says otherwise than the batch", store.ErrInvalid)
	}
	return &f, nil
}

// commitUses makes a batch durable that only adds records: one write, one sync.
func (s *Store) commitUses(b *store.Batch, f *journal.Frame) error {
	if err := s.spend(b.Restricting, func() error { return s.log.Append(b.Frame, f) }); err != nil {
		return s.check(err)
	}
	fault.Point("embedded:before-segment-sync")
	if !fault.Mutant("answer-before-sync") {
		if err := s.log.Sync(); err != nil {
			return s.die(err)
		}
	}
	fault.Point("embedded:after-segment-sync")
	s.advance(b)
	return nil
}

// commitChanges makes a batch with changes durable: one transaction. Room for the frame in the
// segment is made before, so that nothing can be refused once the transaction is durable.
func (s *Store) commitChanges(b *store.Batch, f *journal.Frame) error {
	if err := s.spend(b.Restricting, func() error { return s.log.Reserve(len(b.Frame)) }); err != nil {
		return s.check(err)
	}
	if s.owesMuch() {
		if err := s.log.Sync(); err != nil {
			return s.die(err)
		}
	}
	s.db.Lock()
	defer s.db.Unlock()
	synced := s.log.Synced()
	err := s.spend(b.Restricting, func() error { return s.transact(b, synced) })
	if err != nil {
		return s.check(err)
	}
	fault.Point("embedded:after-commit")
	s.db.wal.fresh = false
	s.owed = slices.DeleteFunc(s.owed, func(row outboxRow) bool { return row.position < synced })
	s.owed = append(s.owed, outboxRow{position: b.Seen.Position, bytes: len(b.Frame)})
	// From here on the batch is durable: what goes wrong is for the next start to repair.
	if err := s.spend(true, func() error { return s.log.Append(b.Frame, f) }); err != nil {
		return s.die(err)
	}
	fault.Point("embedded:after-segment-write")
	s.advance(b) // now the journal can be read up to it
	if s.db.wal.pages >= s.db.wal.limit {
		if err := s.db.checkpoint(sqlite3.CHECKPOINT_PASSIVE); err != nil {
			return s.die(s.db.meaning(err))
		}
	}
	if err := s.db.files.err(); err != nil { // of which SQLite said nothing
		return s.die(err)
	}
	return nil
}

// owesMuch tells whether the outbox holds so much that the segment must be synced.
func (s *Store) owesMuch() bool {
	bytes := 0
	for _, row := range s.owed {
		bytes += row.bytes
	}
	return len(s.owed) >= maxOwed || bytes >= maxOwedBytes
}

// transact writes all of the batch in one transaction and deletes from the outbox what the
// segments hold durably. The database is locked.
func (s *Store) transact(b *store.Batch, synced uint64) error {
	fault.Point("embedded:before-transaction")
	err := s.db.transaction(func() error {
		if err := s.db.apply(b.Changes); err != nil {
			return err
		}
		if err := s.db.nextGeneration(); err != nil {
			return err
		}
		if err := s.db.touch(b, s.cfg.KeptEpochs); err != nil {
			return err
		}
		if fault.Mutant("outbox-deleted-early") {
			synced = b.Seen.Position
		}
		if len(s.owed) > 0 && s.owed[0].position < synced {
			if err := s.db.exec(`DELETE FROM outbox WHERE position < ?`, int64(synced)); err != nil {
				return err
			}
		}
		if err := s.db.exec(`INSERT INTO outbox VALUES(?, ?)`, int64(b.Seen.Position), b.Frame); err != nil {
			return err
		}
		if err := s.db.exec(`UPDATE head SET n = ?, position = ?, chain = ?`,
			int64(b.Next.Epoch.N), int64(b.Next.Position), b.Next.Chain[:]); err != nil {
			return err
		}
		fault.Point("embedded:before-commit")
		return nil
	})
	var conflict *store.Conflict
	if err == nil || errors.As(err, &conflict) {
		return err
	}
	return s.db.meaning(err)
}

// apply makes the changes one after the other, each on what those before it left. Those that meet
// another revision than they expect are skipped, to find all of them: then the error is a
// *store.Conflict, and the transaction is undone.
func (d *database) apply(changes []store.Change) error {
	var ops []int
	for i := range changes {
		made, err := d.change(&changes[i])
		if err != nil {
			return err
		}
		if !made {
			ops = append(ops, changes[i].Op)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	slices.Sort(ops)
	return &store.Conflict{Ops: slices.Compact(ops)}
}

// change makes one change and tells whether its expectation was met.
func (d *database) change(c *store.Change) (bool, error) {
	sql := `UPDATE item SET rev=?2, inc=?3, n=?4, due=?5, i0=?6, i1=?7, i2=?8, i3=?9, mac=?10, body=?11
		WHERE key = ?1 AND rev = ?12`
	switch {
	case fault.Mutant("blind-write") && !c.Delete:
		sql = `INSERT INTO item VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT(key) DO
			UPDATE SET rev=?2, inc=?3, n=?4, due=?5, i0=?6, i1=?7, i2=?8, i3=?9, mac=?10, body=?11
			WHERE ?12 IS NULL OR TRUE`
	case c.Delete:
		sql = `DELETE FROM item WHERE key = ?1 AND rev = ?2`
	case c.Expected == 0:
		sql = `INSERT INTO item(key, rev, inc, n, due, i0, i1, i2, i3, mac, body)
			VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT(key) DO NOTHING`
	}
	stmt, err := d.prepared(sql)
	if err != nil {
		return false, err
	}
	if err := d.bindChange(stmt, c); err != nil {
		return false, err
	}
	before := d.conn.TotalChanges()
	if err := stmt.Exec(); err != nil {
		return false, err
	}
	return d.conn.TotalChanges() != before, nil
}

// bindChange binds what the change's statement needs, without a box for each value: this is where
// a commit spends its time.
func (d *database) bindChange(stmt *sqlite3.Stmt, c *store.Change) error {
	it := &c.Item
	d.key = appendKey(d.key[:0], it.Ref)
	if c.Delete {
		return errors.Join(stmt.BindBlob(1, d.key), stmt.BindInt64(2, int64(c.Expected)))
	}
	err := errors.Join(stmt.BindBlob(1, d.key), stmt.BindInt64(2, int64(it.Revision)),
		stmt.BindInt64(3, int64(it.Epoch.Incarnation)), stmt.BindInt64(4, int64(it.Epoch.N)))
	if it.Due == 0 {
		err = errors.Join(err, stmt.BindNull(5))
	} else {
		err = errors.Join(err, stmt.BindInt64(5, it.Due))
	}
	for i, value := range it.Index {
		if value == "" {
			err = errors.Join(err, stmt.BindNull(6+i))
			continue
		}
		d.key = append(d.key[:0], value...)
		err = errors.Join(err, stmt.BindBlob(6+i, d.key))
	}
	body := it.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	err = errors.Join(err, stmt.BindBlob(10, it.MAC[:]), stmt.BindBlob(11, body))
	if c.Expected != 0 {
		err = errors.Join(err, stmt.BindInt64(12, int64(c.Expected)))
	}
	return err
}
