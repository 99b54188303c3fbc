package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// holder is a principal or group whose policies are read or changed.
type holder struct {
	ref  reference
	id   gate.ID
	item *store.Item
	// One of the two is what it is.
	principal *principalBody
	group     *groupBody
}

// holder finds who has policies, and notes it.
func (m *Manager) holder(ctx context.Context, a gate.Approved, r reference) (*holder, error) {
	h := &holder{ref: r}
	var err error
	if h.id, _, err = m.directory.find(ctx, a, r); err != nil {
		return nil, err
	}
	ref := principalRef(h.id)
	if r.space == groupNames {
		ref = groupRef(h.id)
	}
	items, err := m.directory.read(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	if h.item = &items[0]; h.item.Revision == 0 {
		return nil, missing(r.space.what())
	}
	if r.space == groupNames {
		h.group, err = decodeGroup(h.item)
	} else {
		h.principal, err = decodePrincipal(h.item)
	}
	return h, err
}

// policies are its inline policies and those attached to it.
func (h *holder) policies() *[]gate.ID {
	if h.group != nil {
		return &h.group.Policies
	}
	return &h.principal.Policies
}

// change stages the holder as it is now; also is what else the change bears on.
func (h *holder) change(also ...store.Ref) (gate.Change, error) {
	var c gate.Change
	var err error
	if h.group != nil {
		c, err = groupChange(h.id, h.group, h.item)
	} else {
		c, err = principalChange(h.id, h.principal, h.item)
	}
	c.Also = also
	return c, err
}

// governed refuses what would be no more than a promise: the bootstrap administrator stands for the
// account, and no policy says what it may. What it may not, a policy that is attached to it can say.
func (h *holder) governed() error {
	if h.administrator() {
		return gate.Errorf(gate.Conflict, "an administrator stands for the account itself: it has no boundary and no policies of its own; a managed policy that denies binds it, when attached")
	}
	return nil
}

// administrator tells whether it is one.
func (h *holder) administrator() bool { return h.principal != nil && h.principal.Administrator }

// maxInline is how many characters the inline policies of a holder have together at most.
func (h *holder) maxInline() int {
	switch h.ref.space {
	case groupNames:
		return MaxInlineGroup
	case roleNames:
		return MaxInlineRole
	}
	return MaxInlineUser
}

// parameters say in a record who has the policy: by id, since the name may be a person's.
func (h *holder) parameters() string {
	if h.group != nil {
		return "group=" + h.id.String()
	}
	return "principal=" + h.id.String()
}

// inlineOf returns the inline policies of a holder, noting them.
func (m *Manager) inlineOf(ctx context.Context, a gate.Approved, h *holder) ([]*stored, error) {
	all, err := m.policiesOf(ctx, a, h)
	if err != nil {
		return nil, err
	}
	var out []*stored
	for _, p := range all {
		if p.holder != nil {
			out = append(out, p)
		}
	}
	return out, nil
}

// policiesOf returns the policies of a holder, but for boundary and trust policy, noting them.
func (m *Manager) policiesOf(ctx context.Context, a gate.Approved, h *holder) ([]*stored, error) {
	var out []*stored
	for _, id := range *h.policies() {
		p, err := m.policyOf(ctx, a, id)
		if err != nil {
			return nil, err
		}
		if p.body != nil && !p.body.Owner.IsZero() {
			p.holder = h
		}
		out = append(out, p)
	}
	return out, nil
}
