package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// UpdateRequest changes what a key says of itself, its periods or its master; what is left out stays.
// An empty Description or Owner takes away the one there is.
type UpdateRequest struct {
	Key          string  `json:"key"`
	Purpose      string  `json:"purpose,omitzero"`
	Description  *string `json:"description,omitzero"`
	Owner        *string `json:"owner,omitzero"`
	RotationDays Days    `json:"rotation_days,omitzero"`
	GraceDays    Days    `json:"grace_days,omitzero"`
	LifetimeDays Days    `json:"lifetime_days,omitzero"`
	// Master is a reference to the master key that shall wrap this one, all its versions.
	Master string `json:"master,omitzero"`
}

// UpdateKey changes what a key says of itself, its periods or its master. A new rotation period counts
// from the primary's creation; a new lifetime is that of versions made later. Versions that a change of
// master leaves for later operations are with the new one when it returns.
func (m *Manager) UpdateKey(ctx context.Context, c *gate.Call, req UpdateRequest) (*Key, error) {
	if req.Purpose != "" {
		if err := checkPurpose(req.Purpose); err != nil {
			return nil, m.gate.Refuse(ctx, c, err)
		}
	}
	if err := checkDescription(deref(req.Description), deref(req.Owner)); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	about := onKey(req.Key, req.asked())
	about.Master = masterReference(req.Master)
	out, err := m.change(ctx, c, about, func(e *edit) error { return e.update(&req) })
	if err != nil {
		return nil, err
	}
	if req.Master != "" && out.Moving { // by this call or, if its idempotency key was used before, by that
		if err := m.moveRest(ctx, c, out.ID); err != nil {
			return nil, err
		}
		out.Moving = false
	}
	return out, nil
}

// update stages what a request asks for, of a move its first page: see moveRest.
func (e *edit) update(req *UpdateRequest) error {
	if err := e.wholeKey(); err != nil {
		return err
	}
	before := e.body
	if req.Description != nil {
		e.body.Description = *req.Description
	}
	if req.Owner != nil {
		e.body.Owner = *req.Owner
	}
	if req.Purpose != "" {
		e.body.Purpose = req.Purpose
	}
	policy, err := periods(e.body.Life.Policy, req.RotationDays, req.GraceDays, req.LifetimeDays)
	if err != nil {
		return err
	}
	primary, err := e.loadPrimary()
	if err != nil {
		return err
	}
	var life lifecycle.Version
	if primary != nil {
		life = primary.body.Life
	}
	key, next, err := lifecycle.SetPolicy(e.body.Life, life, policy)
	if err != nil {
		return e.refused(err)
	}
	e.body.Life = key
	moved := 0
	switch {
	case req.Master != "":
		moved, err = e.moveTo(req.Master, primary, next)
	case primary != nil && next != life:
		err = e.changeVersion(primary, next)
	}
	t := updated(&before, &e.body)
	if req.Master != "" {
		t.Add("versions=%d", moved)
	}
	e.out.Parameters = t.String()
	return err
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
