package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/haven-health/haven/store"
)

// Records implements [store.Store]. It reads the segments, which hold every frame once its commit
// returned.
func (s *Store) Records(ctx context.Context, from uint64) iter.Seq2[store.Frame, error] {
	head, _ := s.where()
	return func(yield func(store.Frame, error) bool) {
		if err := s.alive(); err != nil {
			yield(store.Frame{}, err)
			return
		}
		for data, err := range s.log.Records(ctx, from, head.Position) {
			if err != nil {
				if ctx.Err() != nil {
					err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
				}
				yield(store.Frame{}, s.check(err))
				return
			}
			// A whole frame tells its position at this place.
			if !yield(store.Frame{Position: binary.BigEndian.Uint64(data[24:]), Data: data}, nil) {
				return
			}
		}
	}
}
