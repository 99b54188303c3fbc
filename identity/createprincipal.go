package identity

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
)

// CreatePrincipalRequest asks for a new principal: Kind and Name are required.
type CreatePrincipalRequest struct {
	Kind Kind              `json:"kind"`
	Name string            `json:"name"`
	Tags map[string]string `json:"tags,omitzero"`
	// Of a role: Trust is the policy document that says who may assume it, nobody if absent, and
	// MaxSessionSeconds how long its sessions last at most, 3,600 if absent.
	Trust             string `json:"trust,omitzero"`
	MaxSessionSeconds int    `json:"max_session_seconds,omitzero"`
}

// CreatePrincipal makes a principal. It has no credential and no right until it is given some; one
// that had the name before leaves it nothing.
func (m *Manager) CreatePrincipal(ctx context.Context, c *gate.Call, req CreatePrincipalRequest) (*Principal, error) {
	who := reference{spaceOf(req.Kind), req.Name}
	err := req.Kind.check()
	if err == nil {
		err = checkName(who.space, who.name)
	}
	if err == nil {
		err = checkTags(req.Tags)
	}
	if err == nil {
		err = checkRole(req)
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Principal
	about := m.about(who, "Create")
	about.Replay = replay(&out)
	err = m.gate.Do(ctx, c, about,
		func(a gate.Approved) (gate.Outcome, error) {
			if err := m.directory.free(ctx, a, who); err != nil {
				return gate.Outcome{}, err
			}
			id, err := gate.NewID(a.Time(), m.random)
			if err != nil {
				return gate.Outcome{}, err
			}
			body := &principalBody{Kind: req.Kind, Name: req.Name, Tags: req.Tags, Created: a.Time(), MaxSession: req.MaxSessionSeconds}
			trust, err := m.firstTrust(ctx, a, id, body, req.Trust)
			if err != nil {
				return gate.Outcome{}, err
			}
			principal, err := principalChange(id, body, nil)
			if err != nil {
				return gate.Outcome{}, err
			}
			name, err := nameChange(who.space, who.name, id)
			if err != nil {
				return gate.Outcome{}, err
			}
			out = m.directory.document(id, body, nil)
			var told gate.Parameters
			told.Add("kind=%s;principal=%s", req.Kind, id)
			if req.Kind == Role {
				told.Add("trust=%t;max_session_seconds=%d", trust != nil, req.MaxSessionSeconds)
			}
			told.Tags(nil, req.Tags)
			o := gate.Outcome{Changes: []gate.Change{principal, name}, Parameters: told.String()}
			if trust != nil {
				o.Changes = append(o.Changes, *trust)
			}
			o.Answer, err = json.Marshal(out)
			return o, err
		})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// check refuses what is no kind.
func (k Kind) check() error {
	switch k {
	case User, Service, Role:
		return nil
	}
	return gate.Errorf(gate.InvalidRequest, "kind is user, service or role")
}
