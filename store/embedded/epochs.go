package embedded

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/store"
)

// touch writes what the batch touched under its epoch and forgets the epoch that is too old now.
func (d *database) touch(b *store.Batch, kept uint64) error {
	if len(b.Touched) == 0 {
		return nil
	}
	n := b.Next.Epoch.N
	if err := d.exec(`INSERT INTO moved VALUES(?, ?)`, int64(n), encodeRefs(b.Touched)); err != nil {
		return err
	}
	if n <= kept {
		return nil
	}
	return d.exec(`DELETE FROM moved WHERE n <= ?`, int64(n-kept))
}

// encodeRefs encodes references: each its kind (1), the length of its id (2), its id.
func encodeRefs(refs []store.Ref) []byte {
	var out []byte
	for _, r := range refs {
		out = append(out, byte(r.Kind))
		out = binary.BigEndian.AppendUint16(out, uint16(len(r.ID)))
		out = append(out, r.ID...)
	}
	return out
}

func decodeRefs(b []byte) ([]store.Ref, error) {
	var refs []store.Ref
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+int(binary.BigEndian.Uint16(b[1:])) {
			return nil, fmt.Errorf("%w: what an epoch touched", store.ErrCorrupt)
		}
		end := 3 + int(binary.BigEndian.Uint16(b[1:]))
		refs = append(refs, store.Ref{Kind: store.Kind(b[0]), ID: string(b[3:end])})
		b = b[end:]
	}
	return refs, nil
}

// Changes implements [store.Store]. An epoch that was not reached yet is answered with
// [store.ErrTooOld] too: who knows it knows another history.
func (s *Store) Changes(ctx context.Context, since store.Epoch) ([]store.Moved, error) {
	var moved []store.Moved
	err := s.ask(ctx, func(d *database) error {
		now := s.epoch()
		if since.Incarnation != now.Incarnation || since.N > now.N {
			return store.ErrTooOld
		}
		err := d.rows(`SELECT n, touched FROM moved WHERE n > ? ORDER BY n`, func(row *sqlite3.Stmt) error {
			refs, err := decodeRefs(row.ColumnRawBlob(1))
			moved = append(moved, store.Moved{
				Epoch:   store.Epoch{Incarnation: now.Incarnation, N: uint64(row.ColumnInt64(0))},
				Touched: refs,
			})
			return err
		}, int64(since.N))
		if err == nil && uint64(len(moved)) != now.N-since.N {
			return store.ErrTooOld
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
}
