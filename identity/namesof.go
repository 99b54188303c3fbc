package identity

import (
	"context"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// NamesOf returns what principals are called; one that there is no more has none. It is for people to
// read and rests no decision on what it finds, so that nothing is noted.
func (d *Directory) NamesOf(ctx context.Context, ids []gate.ID) (map[gate.ID]string, error) {
	return d.tell(ctx, ids, func(b *principalBody) string { return b.Name })
}

// ARNsOf returns the ARNs of principals; likewise.
func (d *Directory) ARNsOf(ctx context.Context, ids []gate.ID) (map[gate.ID]string, error) {
	return d.tell(ctx, ids, func(b *principalBody) string { return arn(d.account, spaceOf(b.Kind), b.Name) })
}

// tell returns what f tells of each principal that there is.
func (d *Directory) tell(ctx context.Context, ids []gate.ID, f func(*principalBody) string) (map[gate.ID]string, error) {
	told := make(map[gate.ID]string, len(ids))
	for part := range slices.Chunk(ids, store.MaxGet) {
		refs := make([]store.Ref, len(part))
		for i, id := range part {
			refs[i] = principalRef(id)
		}
		items, _, err := d.view.Get(ctx, refs...)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if items[i].Revision == 0 {
				continue
			}
			body, err := decodePrincipal(&items[i])
			if err != nil {
				return nil, err
			}
			told[part[i]] = f(body)
		}
	}
	return told, nil
}
