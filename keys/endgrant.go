package keys

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// RevokeGrantRequest names a grant and the key that it is on.
type RevokeGrantRequest struct {
	Key     string `json:"key"`
	GrantID string `json:"grant_id"`
}

// RetireGrantRequest names a grant: by Key and GrantID, or by Token.
type RetireGrantRequest struct {
	Key     string `json:"key,omitzero"`
	GrantID string `json:"grant_id,omitzero"`
	Token   string `json:"grant_token,omitzero"`
}

// RevokeGrant ends a grant, by who may do that with the key. When it has returned, nothing that begins
// afterwards passes by the grant.
func (m *Manager) RevokeGrant(ctx context.Context, c *gate.Call, req RevokeGrantRequest) (*GrantAnswer, error) {
	id, ok := gate.ParseID(req.GrantID)
	if !ok {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "grant_id is the id of a grant"))
	}
	return m.endGrant(ctx, c, gate.Reference{Text: req.Key}, id)
}

// RetireGrant ends a grant, by its retiring principal, its grantee where it has RetireGrant, or who may
// retire any grant of the key.
func (m *Manager) RetireGrant(ctx context.Context, c *gate.Call, req RetireGrantRequest) (*GrantAnswer, error) {
	key, id, ok := parseGrantToken(req.Token)
	text := key.String()
	if req.Token == "" {
		text = req.Key
		id, ok = gate.ParseID(req.GrantID)
	}
	if !ok || (req.Token == "") == (req.Key == "") || req.Token != "" && req.GrantID != "" {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "name the grant by key and grant_id, or by grant_token alone"))
	}
	return m.endGrant(ctx, c, gate.Reference{Text: text, Grant: id}, id)
}

// endGrant deletes a grant of a key. One of another key is none of this one's.
func (m *Manager) endGrant(ctx context.Context, c *gate.Call, ref gate.Reference, id gate.ID) (*GrantAnswer, error) {
	var out GrantAnswer
	r := gate.Request{References: []gate.Reference{ref}, Replay: replay(&out), Parameters: "grant=" + id.String()}
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		e := m.edit(ctx, a, nil)
		if err := e.wholeKey(); err != nil {
			return gate.Outcome{}, err
		}
		g := e.loaded.grant(id.String())
		if g == nil {
			return gate.Outcome{}, noGrant(e.id)
		}
		e.body.Grants--
		key, err := keyChange(e.id, &e.body, &e.loaded.item)
		if err != nil {
			return gate.Outcome{}, err
		}
		e.out.Changes = append(e.out.Changes, key, gate.Change{Ref: g.item.Ref, Before: &g.item, Delete: true})
		use, err := m.ring.grantUses.Forget(ctx, g.item.ID)
		if err != nil {
			return gate.Outcome{}, err
		}
		e.out.Changes = append(e.out.Changes, use...)
		out = GrantAnswer{KeyID: e.id, GrantID: id}
		e.out.Answer, err = json.Marshal(&out)
		return e.out, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func noGrant(key gate.ID) error {
	return &gate.Error{Code: gate.NotFound, Key: key, Detail: "the key has no such grant; list-grants shows those it has"}
}

// retiring is a key as the decision about retiring one of its grants sees it: of all its grants, that
// one lets whom it says retire it.
func (k *loadedKey) retiring(id gate.ID) (*access.Object, error) {
	o := *k.object
	o.Grants = nil
	g := k.grant(id.String())
	if g == nil {
		return &o, noGrant(idOf(k.item.ID))
	}
	var who []gate.ID
	if !g.body.Retiring.IsZero() {
		who = append(who, g.body.Retiring)
	}
	if slices.Contains(g.body.Operations, "RetireGrant") {
		who = append(who, g.body.Grantee)
	}
	o.Grants = map[string][]access.Grant{}
	for _, p := range who {
		one, err := access.NewGrant(g.id.String(), p.String(), []string{"RetireGrant"}, nil, nil)
		if err != nil {
			return nil, err
		}
		o.Grants[one.Grantee] = append(o.Grants[one.Grantee], one)
	}
	return &o, nil
}
