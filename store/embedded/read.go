package embedded

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/store"
)

const columns = `key, rev, inc, n, due, i0, i1, i2, i3, mac, body`

// appendKey appends an item's key: its kind and its id.
func appendKey(dst []byte, ref store.Ref) []byte {
	return append(append(dst, byte(ref.Kind)), ref.ID...)
}

// readItem reads the row of columns.
func readItem(row *sqlite3.Stmt) (store.Item, error) {
	key, mac := row.ColumnRawBlob(0), row.ColumnRawBlob(9)
	it := store.Item{Revision: uint64(row.ColumnInt64(1)), Due: row.ColumnInt64(4)}
	it.Epoch = store.Epoch{Incarnation: uint64(row.ColumnInt64(2)), N: uint64(row.ColumnInt64(3))}
	if len(key) < 2 || len(mac) != len(it.MAC) || it.Revision == 0 {
		return it, fmt.Errorf("%w: item of key %x", store.ErrCorrupt, key)
	}
	it.Ref = store.Ref{Kind: store.Kind(key[0]), ID: string(key[1:])}
	copy(it.MAC[:], mac)
	for i := range it.Index {
		it.Index[i] = string(row.ColumnRawBlob(5 + i))
	}
	it.Body = row.ColumnBlob(10, nil)
	return it, nil
}

// ask runs work with the database locked: on one snapshot.
func (s *Store) ask(ctx context.Context, work func(d *database) error) error {
	if err := s.unavailable(ctx); err != nil {
		return err
	}
	s.db.Lock()
	defer s.db.Unlock()
	if err := work(s.db); err != nil {
		return s.check(s.db.meaning(err))
	}
	return nil
}

// epoch returns the epoch of what the locked database holds.
func (s *Store) epoch() store.Epoch {
	head, _ := s.where()
	return head.Epoch
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	if err := store.CheckGet(refs); err != nil {
		return nil, store.Epoch{}, err
	}
	items, epoch := make([]store.Item, len(refs)), store.Epoch{}
	err := s.ask(ctx, func(d *database) error {
		epoch = s.epoch()
		for i, ref := range refs {
			items[i].Ref = ref
			d.key = appendKey(d.key[:0], ref)
			err := d.rows(`SELECT `+columns+` FROM item WHERE key = ?`, func(row *sqlite3.Stmt) (err error) {
				items[i], err = readItem(row)
				return err
			}, d.key)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, store.Epoch{}, err
	}
	return items, epoch, nil
}

// The questions of List: by key, and by each index; upwards and downwards.
var listings = [store.MaxIndexes + 1][2]string{
	{listing(``, ``), listing(``, ` DESC`)},
	{listing(` AND i0 = ?4`, ``), listing(` AND i0 = ?4`, ` DESC`)},
	{listing(` AND i1 = ?4`, ``), listing(` AND i1 = ?4`, ` DESC`)},
	{listing(` AND i2 = ?4`, ``), listing(` AND i2 = ?4`, ` DESC`)},
	{listing(` AND i3 = ?4`, ``), listing(` AND i3 = ?4`, ` DESC`)},
}

func listing(indexed, order string) string {
	return `SELECT ` + columns + ` FROM item WHERE key >= ?1 AND key < ?2` + indexed + ` ORDER BY key` + order + ` LIMIT ?3`
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	from, to := bounds(&q)
	args := []any{from, to, q.Limit + 1}
	which, order := 0, 0
	if q.Value != "" {
		which, args = 1+q.Index, append(args, []byte(q.Value))
	}
	if q.Reverse {
		order = 1
	}
	var page store.Page
	err := s.ask(ctx, func(d *database) error {
		page.Epoch = s.epoch()
		return d.rows(listings[which][order], func(row *sqlite3.Stmt) error {
			if len(page.Items) == q.Limit {
				page.More = true
				return nil
			}
			it, err := readItem(row)
			page.Items = append(page.Items, it)
			return err
		}, args...)
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}

// bounds returns the first key a query may return and the first behind it that it may not.
func bounds(q *store.Query) (from, to []byte) {
	prefix := q.Prefix
	if q.Value != "" {
		prefix = ""
	}
	from = appendKey(nil, store.Ref{Kind: q.Kind, ID: prefix})
	to = successor(from)
	if q.After == "" {
		return from, to
	}
	after := appendKey(nil, store.Ref{Kind: q.Kind, ID: q.After})
	switch {
	case q.Reverse && bytes.Compare(after, to) < 0:
		to = after
	case !q.Reverse && bytes.Compare(after, from) >= 0:
		from = append(after, 0)
	}
	return from, to
}

// successor returns the least key that is greater than every key with the prefix.
func successor(prefix []byte) []byte {
	next := bytes.TrimRight(bytes.Clone(prefix), "\xff")
	if len(next) == 0 {
		return bytes.Repeat([]byte{0xff}, 2+store.MaxID) // longer than any key
	}
	next[len(next)-1]++
	return next
}

const dueListing = `SELECT ` + columns + ` FROM item WHERE due <= ? AND (due, key) > (?, ?) ORDER BY due, key LIMIT ?`

// Due implements [store.Store].
func (s *Store) Due(ctx context.Context, q store.DueQuery) (store.Page, error) {
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	due, key := int64(math.MinInt64), []byte{} // before every item
	if q.After.ID != "" {
		due, key = q.After.Due, appendKey(nil, q.After.Ref)
	}
	var page store.Page
	err := s.ask(ctx, func(d *database) error {
		page.Epoch = s.epoch()
		return d.rows(dueListing, func(row *sqlite3.Stmt) error {
			if page.More = len(page.Items) == q.Limit; page.More {
				return nil
			}
			it, err := readItem(row)
			page.Items = append(page.Items, it)
			return err
		}, q.Before, due, key, q.Limit+1)
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}
