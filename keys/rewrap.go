package keys

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// rewrapPage is how many versions one operation wraps anew: as many as its record can tell.
const rewrapPage = 32

// RewrapRoot stages wrapping anew, under the present root key, of up to a page of what an earlier
// generation of it wraps. more tells that there is some left; call it again, in an operation of
// its own, until there is none.
func (r *Ring) RewrapRoot(ctx context.Context, a gate.Approved, generation uint32) (o gate.Outcome, more bool, err error) {
	a.Principal()
	q := store.Query{Kind: store.KindVersion, Index: indexWrapped, Value: wrappedIndex(gate.ID{}, generation), Limit: rewrapPage}
	page, err := r.cfg.View.List(ctx, q)
	if err != nil {
		return gate.Outcome{}, false, err
	}
	for i := range page.Items {
		change, err := r.rewrapItem(ctx, a, &page.Items[i])
		if err != nil {
			return gate.Outcome{}, false, err
		}
		o.Changes = append(o.Changes, change)
	}
	o.Parameters = fmt.Sprintf("versions=%d", len(page.Items))
	return o, page.More, nil
}

func (r *Ring) rewrapItem(ctx context.Context, a gate.Approved, item *store.Item) (gate.Change, error) {
	v, err := decodeVersion(item)
	if err != nil {
		return gate.Change{}, err
	}
	id := idOf(item.ID)
	key, err := r.key(ctx, a.Reading(), id)
	if err != nil {
		return gate.Change{}, err
	}
	b := r.binding(id, v.Life.Number, v.Spec, v.Usage)
	material, err := unwrapped(r.cfg.Root.Unwrap(b, v.wrapped))
	if err != nil {
		return gate.Change{}, err
	}
	defer material.Destroy()
	if v.wrapped, err = r.cfg.Root.Wrap(b, material); err != nil {
		return gate.Change{}, err
	}
	v.byVer = r.cfg.Root.Generation()
	return versionChange(id, key.body.Life, v, item)
}
