package embedded

import "github.com/ncruces/go-sqlite3"

// Checkpoint has SQLite move its log into the database now, as it does by itself when the log is
// long.
func (s *Store) Checkpoint() error {
	s.db.Lock()
	defer s.db.Unlock()
	return s.db.checkpoint(sqlite3.CHECKPOINT_PASSIVE)
}

// Plan returns how SQLite would answer a listing: the details of its query plan.
func (s *Store) Plan(which, order int) (plan string, err error) {
	return s.plan(listings[which][order])
}

// PlanDue returns how SQLite would answer Due.
func (s *Store) PlanDue() (string, error) { return s.plan(dueListing) }

func (s *Store) plan(sql string) (plan string, err error) {
	s.db.Lock()
	defer s.db.Unlock()
	err = s.db.rows(`EXPLAIN QUERY PLAN `+sql, func(row *sqlite3.Stmt) error {
		plan += row.ColumnText(3) + "\n"
		return nil
	})
	return plan, err
}

// Exec changes the database behind the store's back.
func (s *Store) Exec(sql string) error {
	s.db.Lock()
	defer s.db.Unlock()
	return s.db.conn.Exec(sql)
}

// Owed returns how many frames the outbox holds.
func (s *Store) Owed() (n int, err error) {
	rows, err := s.db.outboxRows()
	return len(rows), err
}
