package keys

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// ActiveRequest asks for the key to use of a type, and of a purpose where one is given.
type ActiveRequest struct {
	Type    Type   `json:"type"`
	Purpose string `json:"purpose,omitzero"`
}

// maxPassed bounds how many keys a search for one in force passes.
const maxPassed = 10_000

// GetActiveKey returns the newest enabled key whose primary is active, of those that the caller may
// describe. It makes none: where there is no such key it returns an error matching NotFound to who may
// describe every key, and to others one matching AccessDenied.
func (m *Manager) GetActiveKey(ctx context.Context, c *gate.Call, req ActiveRequest) (*Key, error) {
	list := ListRequest{Type: req.Type, Purpose: req.Purpose, State: lifecycle.Active.String(), Limit: 1}
	f, err := list.filter()
	if err == nil && req.Type == "" {
		err = gate.Errorf(gate.InvalidRequest, "type must be master, data, signing or transport")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Key
	f.look(c)
	err = m.gate.Do(ctx, c, gate.Request{EachItem: true}, func(a gate.Approved) (gate.Outcome, error) {
		id, err := m.ring.newestActive(ctx, a, *f)
		if isNotFound(err) && !a.May(gate.GetActiveKey, nil, gate.Asked{}) {
			return gate.Outcome{}, a.Denied(gate.GetActiveKey)
		}
		if err != nil {
			return gate.Outcome{}, err
		}
		err = m.ring.show(ctx, a, id, &out)
		return gate.Outcome{Key: id, Version: out.Version}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// newestActive looks through the keys, newest first.
func (r *Ring) newestActive(ctx context.Context, a gate.Approved, f filter) (gate.ID, error) {
	for range maxPassed / maxLooked {
		found, err := r.list(ctx, a, &f)
		if err != nil {
			return gate.ID{}, err
		}
		if len(found.Keys) > 0 {
			id, _ := gate.ParseID(found.Keys[0].ID)
			return id, nil
		}
		if found.NextCursor == "" {
			return gate.ID{}, gate.Errorf(gate.NotFound, "no key of that type and purpose is enabled and has an active primary; create one, or look with list-keys")
		}
		if err := page(&f.query, 0, found.NextCursor, keyIDLen); err != nil {
			return gate.ID{}, fmt.Errorf("keys: %w", err)
		}
		f.query.Limit = maxLooked
	}
	return gate.ID{}, gate.Errorf(gate.LimitExceeded, "the newest %d keys of that type and purpose cannot be used; name the purpose, or look with list-keys", maxPassed)
}

// show makes the document of a key that no reference named, noting what it rests on.
func (r *Ring) show(ctx context.Context, a gate.Approved, id gate.ID, out *Key) error {
	key, err := r.key(ctx, a.Reading(), id)
	if err != nil {
		return err
	}
	var primary *versionBody
	if n := shown(key.body.Life); n != 0 {
		v, err := r.version(ctx, a.Reading(), id, n)
		if err != nil {
			return err
		}
		primary = &v.body
	}
	*out = r.document(id, &key.body, primary, a.Time())
	return r.tell(ctx, a, out)
}
