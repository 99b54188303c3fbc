package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Deleted is the answer of what deletes.
type Deleted struct{}

// maxErased is how many items one deletion takes along at most: what one record has room for.
const maxErased = 40

// DeletePrincipal deletes a principal with its credentials, memberships and inline policies. Its name
// is free then, its id is never given again: whatever names it by that names nobody.
func (m *Manager) DeletePrincipal(ctx context.Context, c *gate.Call, req PrincipalRequest) (*Deleted, error) {
	_, err := m.change(ctx, c, req.Principal, "Delete", func(e *edit) error {
		if err := e.dispensable(); err != nil {
			return err
		}
		if err := e.erase(); err != nil {
			return err
		}
		e.out.Changes = append(e.out.Changes,
			gate.Change{Ref: e.item.Ref, Before: e.item, Delete: true},
			gate.Change{Ref: e.name.Ref, Before: e.name, Delete: true})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Deleted{}, nil
}

// erase stages the deletion of what only this principal has. Of credentials beyond what a record has
// room for, as a role's sessions may be, nothing is left to fear: they prove somebody there is not.
func (e *edit) erase() error {
	for _, id := range e.body.Groups {
		if err := e.leave(id); err != nil {
			return err
		}
	}
	ids := e.body.Policies
	if !e.body.Trust.IsZero() {
		ids = append(ids, e.body.Trust)
	}
	policies, err := e.m.directory.inline(e.ctx, e.id, ids)
	if err != nil {
		return err
	}
	credentials, err := e.m.directory.credentialsOf(e.ctx, e.id, store.MaxPage)
	if err != nil {
		return err
	}
	e.told.Add("groups=%d;policies=%d", len(e.body.Groups), len(policies))
	erased := 0
	for _, item := range append(policies, credentials...) {
		if len(e.out.Changes) == maxErased {
			break
		}
		if item.Kind == store.KindCredential {
			erased++
		}
		e.out.Changes = append(e.out.Changes, gate.Change{Ref: item.Ref, Before: &item, Delete: true})
	}
	e.told.Add("credentials=%d", erased)
	return nil
}
