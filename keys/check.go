package keys

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// Check looks at how the keys hang together: that every key has its primary, every version its key
// and the master version that wraps it, every alias the key it names, and that no version wraps
// itself or its master. It unwraps nothing. Items that are damaged themselves it passes over:
// [gate.View.Check] finds them.
func (r *Ring) Check(ctx context.Context) ([]gate.Finding, error) {
	var found []gate.Finding
	for _, check := range []struct {
		kind store.Kind
		f    func(context.Context, *store.Item) (string, error)
	}{{store.KindKey, r.checkKey}, {store.KindVersion, r.checkVersion}, {store.KindAlias, r.checkAlias}} {
		for item, err := range r.cfg.View.Sound(ctx, check.kind) {
			what := ""
			if err == nil {
				what, err = check.f(ctx, item)
			}
			if err != nil && !errors.Is(err, gate.Tampered) {
				return found, err
			}
			if what != "" {
				found = append(found, gate.Finding{Place: item.Ref.String(), What: what})
			}
		}
	}
	return found, nil
}

// exists tells whether there is an item, whatever its state.
func (r *Ring) exists(ctx context.Context, ref store.Ref) (bool, error) {
	items, _, err := r.cfg.View.Get(ctx, ref)
	if errors.Is(err, gate.Tampered) {
		return true, nil
	}
	return err == nil && items[0].Revision > 0, err
}

func (r *Ring) checkKey(ctx context.Context, item *store.Item) (string, error) {
	b, err := decodeKey(item)
	if err != nil {
		return err.Error(), nil
	}
	for _, name := range b.aliases() {
		if ok, err := r.exists(ctx, aliasRef(name)); !ok {
			return fmt.Sprintf("its alias/%s is missing", name), err
		}
	}
	if _, _, err := r.readKey(ctx, idOf(item.ID)); errors.Is(err, gate.Tampered) || errors.Is(err, gate.Internal) {
		return "its policy or its grants are not what it says it has, or cannot be read", nil
	} else if err != nil {
		return "", err
	}
	if b.Life.Primary > b.Life.Versions {
		return fmt.Sprintf("its primary %d is beyond its %d versions", b.Life.Primary, b.Life.Versions), nil
	}
	if b.Life.Primary == 0 {
		return "", nil
	}
	items, _, err := r.cfg.View.Get(ctx, versionRef(versionID{idOf(item.ID), b.Life.Primary}))
	if err != nil {
		return "", err
	}
	if items[0].Revision == 0 {
		return fmt.Sprintf("its primary, version %d, is missing", b.Life.Primary), nil
	}
	v, err := decodeVersion(&items[0])
	if err != nil {
		return err.Error(), nil
	}
	if v.Life.State != lifecycle.Active {
		return fmt.Sprintf("its primary, version %d, is %s", b.Life.Primary, v.Life.State), nil
	}
	return "", nil
}

func (r *Ring) checkVersion(ctx context.Context, item *store.Item) (string, error) {
	if len(item.ID) != 20 {
		return "its id is not one of a version", nil
	}
	v, err := decodeVersion(item)
	if err != nil {
		return err.Error(), nil
	}
	id, n := idOf(item.ID), binary.BigEndian.Uint32([]byte(item.ID[16:]))
	if n != v.Life.Number {
		return fmt.Sprintf("it calls itself version %d", v.Life.Number), nil
	}
	awaits := v.Life.State == lifecycle.Pending || v.Life.State == lifecycle.Compromised && v.Check == ""
	gone := v.Life.State == lifecycle.Destroyed || v.Life.MaterialErased
	if (len(v.wrapped) == 0) != (awaits || gone) {
		return fmt.Sprintf("it is %s with %d bytes of material", v.Life.State, len(v.wrapped)), nil
	}
	if ok, err := r.exists(ctx, keyRef(id)); !ok {
		return "its key is missing", err
	}
	if v.by.IsZero() {
		return "", nil
	}
	if v.by == id {
		return "it is wrapped by its own key", nil
	}
	if ok, err := r.exists(ctx, versionRef(versionID{v.by, v.byVer})); !ok {
		return fmt.Sprintf("what wraps it, %s@%d, is missing", v.by, v.byVer), err
	}
	return "", nil
}

func (r *Ring) checkAlias(ctx context.Context, item *store.Item) (string, error) {
	b, err := decodeAlias(item)
	if err != nil {
		return err.Error(), nil
	}
	items, _, err := r.cfg.View.Get(ctx, keyRef(b.Key))
	if err != nil {
		return "", err
	}
	if items[0].Revision == 0 {
		return "the key it names is missing", nil
	}
	key, err := decodeKey(&items[0])
	if err == nil && !slices.Contains(key.aliases(), item.ID) {
		return "the key it names does not know it", nil
	}
	return "", nil // what else is wrong with the key is said of the key
}
