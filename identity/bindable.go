package identity

import (
	"context"
	"slices"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// bindable refuses a policy that must not bind an administrator: one that could stop what Haven itself
// does in its name, so that no start succeeds any more, or one that nobody could take off again.
// Everything else it may deny, altogether or until others approve.
func (d *Directory) bindable(document string) error {
	p, err := access.Compile([]byte(document), access.Identity, d.account, nil)
	if err != nil {
		return malformed(err)
	}
	stops := func(permission string, approvals int) bool {
		action, ok := access.ActionOf(permission)
		return ok && p.Stops(action, approvals)
	}
	for _, op := range gate.Operations() {
		switch {
		case op == gate.RotateSeal || op == gate.MigrateSeal:
			if stops(op.Permission, gate.MaxApprovals) {
				return notBindable(op.Permission, "seals could not be replaced any more"+unless)
			}
		case op.Internal && stops(op.Permission, 0):
			return notBindable(op.Permission, "Haven itself does that in the administrator's name, and would not start again")
		}
	}
	if detach := gate.DetachPolicy.Permission; stops(detach, gate.MaxApprovals) {
		return notBindable(detach, "nobody could take the policy off again"+unless)
	}
	return nil
}

// unless says what lets a policy deny what must remain possible.
const unless = "; a condition NumericLessThan of haven:Approvals, 16 at most, lets others lift it"

func notBindable(permission, why string) error {
	return gate.Errorf(gate.Conflict, "the policy cannot bind an administrator, since it denies %s: %s", permission, why)
}

// checkBinding refuses a document in the place of that of a policy which binds an administrator.
func (m *Manager) checkBinding(ctx context.Context, a gate.Approved, policy gate.ID, document string) error {
	ids, err := m.directory.Administrators(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		items, err := m.directory.read(ctx, a, principalRef(id))
		if err != nil {
			return err
		}
		if items[0].Revision == 0 {
			continue
		}
		b, err := decodePrincipal(&items[0])
		if err != nil {
			return err
		}
		if !slices.Contains(b.Policies, policy) {
			continue
		}
		if err := binder(a); err != nil {
			return err
		}
		return m.directory.bindable(document)
	}
	return nil
}

// binder refuses who is no administrator what changes the policies that bind one.
func binder(a gate.Approved) error {
	if a.Principal().Administrator {
		return nil
	}
	return &gate.Error{Code: gate.AccessDenied, Detail: "only an administrator changes the policies that bind an administrator"}
}
