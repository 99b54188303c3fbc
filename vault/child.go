package vault

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/store"
)

// Wrapped returns what a master key wraps in the item of a version, and where it belongs, for wrapping it
// anew.
func (m *Manager) Wrapped(item *store.Item) (blob.Binding, crypt.Wrapped, error) {
	b, err := decodeVersion(item)
	if err != nil {
		return blob.Binding{}, nil, err
	}
	return m.binding(gate.ID([]byte(item.ID[:16])), gate.ID([]byte(item.ID[16:]))), b.wrapped, nil
}

// Rewrapped stages the item of a version, wrapped anew. Nothing else of it changes.
func (m *Manager) Rewrapped(item *store.Item, w crypt.Wrapped, index string) (gate.Change, error) {
	b, err := decodeVersion(item)
	if err != nil {
		return gate.Change{}, err
	}
	b.wrapped = w
	return versionChange(gate.ID([]byte(item.ID[:16])), gate.ID([]byte(item.ID[16:])), b, index, item)
}

// Check looks at how what is stored hangs together: every version has its stored key, every stored key its
// name, its versions and a current one.
func (m *Manager) Check(ctx context.Context) (findings []gate.Finding, err error) {
	q := store.Query{Kind: store.KindStored, Limit: store.MaxPage}
	for more := true; more; {
		page, err := m.cfg.View.List(ctx, q)
		if err != nil {
			return findings, err
		}
		for i := range page.Items {
			what, err := m.checkStored(ctx, &page.Items[i])
			if err != nil {
				return findings, err
			}
			if what != "" {
				findings = append(findings, gate.Finding{Place: page.Items[i].Ref.String(), What: what})
			}
			q.After = page.Items[i].ID
		}
		more = page.More
	}
	return findings, nil
}

func (m *Manager) checkStored(ctx context.Context, item *store.Item) (string, error) {
	b, err := decodeStored(item)
	if err != nil {
		return err.Error(), nil
	}
	id := gate.ID([]byte(item.ID))
	names, _, err := m.cfg.View.Get(ctx, nameRef(b.Name))
	if err != nil {
		return "", err
	}
	if names[0].Revision == 0 {
		return "its name is missing", nil
	}
	if name, err := decodeName(&names[0]); err != nil || name.ID != id {
		return "its name is another's", nil
	}
	page, err := m.cfg.View.List(ctx, store.Query{Kind: store.KindStoredVersion, Prefix: item.ID, Limit: store.MaxPage})
	if err != nil {
		return "", err
	}
	if len(page.Items) != len(b.Versions) {
		return fmt.Sprintf("it has %d versions of %d", len(page.Items), len(b.Versions)), nil
	}
	if _, ok := b.Stages[Current]; !ok {
		return "it has no current version", nil
	}
	return "", nil
}
