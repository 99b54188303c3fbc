package identity

import (
	"context"
	"maps"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// UpdatePrincipalRequest changes what is given of it.
type UpdatePrincipalRequest struct {
	Principal string `json:"principal"`
	// Tags are added; those there are by the same names get the new values.
	Tags map[string]string `json:"tags,omitzero"`
	// RemoveTags are names; what it does not have is passed over.
	RemoveTags []string `json:"remove_tags,omitzero"`
	// Disabled true suspends it until false: none of its credentials proves anything.
	Disabled *bool `json:"disabled,omitzero"`
}

// UpdatePrincipal changes a principal. When it has returned, every operation begun later meets the
// principal as it is now.
func (m *Manager) UpdatePrincipal(ctx context.Context, c *gate.Call, req UpdatePrincipalRequest) (*Principal, error) {
	if err := req.check(); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	return m.change(ctx, c, req.Principal, "Update", func(e *edit) error {
		tags := maps.Clone(e.body.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		for _, name := range req.RemoveTags {
			delete(tags, name)
		}
		maps.Copy(tags, req.Tags)
		if err := checkTags(tags); err != nil {
			return err
		}
		if req.Disabled != nil && *req.Disabled != e.body.Disabled {
			if *req.Disabled {
				if err := e.dispensable(); err != nil {
					return err
				}
			}
			e.told.Add("disabled=%t>%t", e.body.Disabled, *req.Disabled)
			e.body.Disabled = *req.Disabled
		}
		e.told.Tags(e.body.Tags, tags)
		if e.body.Tags = tags; len(tags) == 0 {
			e.body.Tags = nil
		}
		return e.put()
	})
}

func (req *UpdatePrincipalRequest) check() error {
	switch {
	case len(req.Tags) == 0 && len(req.RemoveTags) == 0 && req.Disabled == nil:
		return gate.Errorf(gate.InvalidRequest, "say what to change: tags, remove_tags or disabled")
	case len(req.RemoveTags) > MaxTags || slices.ContainsFunc(req.RemoveTags, func(name string) bool { return !validTag(name, "") }):
		return gate.Errorf(gate.InvalidRequest, "remove_tags is at most %d names of tags", MaxTags)
	}
	return checkTags(req.Tags)
}

// change runs an operation that changes one principal and answers with its document.
func (m *Manager) change(ctx context.Context, c *gate.Call, principal, verb string, f func(*edit) error) (*Principal, error) {
	who, err := m.directory.principalReference(principal)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Principal
	req := m.about(who, verb)
	req.Replay = replay(&out)
	err = m.gate.Do(ctx, c, req, func(a gate.Approved) (gate.Outcome, error) {
		e, err := m.load(ctx, c, a, who)
		if err == nil {
			err = e.own()
		}
		if err == nil {
			err = f(e)
		}
		if err == nil {
			err = e.answer(&out)
		}
		if err != nil {
			return gate.Outcome{}, err
		}
		return e.outcome(), nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// dispensable refuses to take away the last administrator who could call: nobody could make another.
func (e *edit) dispensable() error {
	if !e.body.Administrator {
		return nil
	}
	ids, err := e.m.directory.Administrators(e.ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id == e.id {
			continue
		}
		items, err := e.m.directory.read(e.ctx, e.a, principalRef(id))
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
		if b.Administrator && !b.Disabled {
			return nil
		}
	}
	return gate.Errorf(gate.Conflict, "that is the last administrator: without one nobody could give anybody a right again")
}

// put stages the principal as it is now; also is what else the change bears on.
func (e *edit) put(also ...store.Ref) error {
	c, err := principalChange(e.id, &e.body, e.item)
	c.Also = also
	e.out.Changes = append(e.out.Changes, c)
	return err
}

// outcome is what the operation staged, and what its record tells.
func (e *edit) outcome() gate.Outcome {
	e.out.Parameters = e.told.String()
	return e.out
}
