package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// PrincipalRequest names a principal: by ARN, user/NAME, role/NAME, or the bare NAME of a user or
// service.
type PrincipalRequest struct {
	Principal string `json:"principal"`
}

// DescribePrincipal shows a principal.
func (m *Manager) DescribePrincipal(ctx context.Context, c *gate.Call, req PrincipalRequest) (*Principal, error) {
	who, err := m.directory.principalReference(req.Principal)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Principal
	err = m.gate.Do(ctx, c, m.about(who, "Get"), func(a gate.Approved) (gate.Outcome, error) {
		e, err := m.load(ctx, c, a, who)
		if err != nil {
			return gate.Outcome{}, err
		}
		return gate.Outcome{Parameters: e.told.String()}, e.answer(&out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// about is the gate's request of an operation on a principal. Roles have permissions of their own, as
// in IAM: verb is their first word.
func (m *Manager) about(who reference, verb string) gate.Request {
	req := gate.Request{Resources: []string{who.arn(m.directory)}}
	if who.space == roleNames {
		req.As = &gate.Operation{Permission: "iam:" + verb + "Role"}
	}
	return req
}
