package gate

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/haven-health/haven/store"
)

// Forget deletes the stored answers of idempotency keys that are remembered no more, in the name of a
// call, and tells how many: of items, at most store.MaxGet, those that are such.
func (g *Gate) Forget(ctx context.Context, c *Call, items []store.Item) (deleted int, err error) {
	return g.Sweep(ctx, c, Forget, items, func(item *store.Item, now time.Time) (bool, error) {
		return forgotten(item, now.UnixNano()), nil
	})
}

// Sweep deletes those of items, at most store.MaxGet, that are gone by now, as an operation of Haven's own in
// the name of a call, and tells how many they were. Gone is asked of each as it is stored then.
func (g *Gate) Sweep(ctx context.Context, c *Call, op *Operation, items []store.Item, gone func(item *store.Item, now time.Time) (bool, error)) (deleted int, err error) {
	own, err := g.Own(ctx, c, op)
	if err != nil {
		return 0, err
	}
	refs := make([]store.Ref, len(items))
	for i := range items {
		refs[i] = items[i].Ref
	}
	err = g.Do(ctx, own, Request{}, func(a Approved) (Outcome, error) {
		now, _, err := g.view.Get(ctx, refs...)
		if err != nil {
			return Outcome{}, err
		}
		var o Outcome
		for i := range now {
			if now[i].Revision == 0 {
				continue
			}
			old, err := gone(&now[i], a.Time())
			if err != nil {
				return Outcome{}, err
			}
			if old {
				o.Changes = append(o.Changes, Change{Ref: now[i].Ref, Before: &now[i], Delete: true})
			}
		}
		deleted = len(o.Changes)
		o.Parameters = fmt.Sprintf("items=%d", deleted)
		return o, nil
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}

// forgotten tells whether an item is the stored answer of a key that is remembered no more.
func forgotten(item *store.Item, now int64) bool {
	return item.Kind == store.KindIdempotency && item.Revision > 0 && !(len(item.Body) >= storedHeader && item.Body[0] == storedVersion &&
		int64(binary.BigEndian.Uint64(item.Body[1:])) > now/int64(time.Millisecond))
}
