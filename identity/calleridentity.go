package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// CallerRequest asks who calls.
type CallerRequest struct{}

// Caller is who calls, as STS tells it.
type Caller struct {
	Account string `json:"account"`
	ARN     string `json:"arn"`
	// ID is the principal's; of a session, ROLE:SESSION.
	ID string `json:"id"`
}

// GetCallerIdentity tells the caller who it is taken for. It needs no permission, as in STS.
func (m *Manager) GetCallerIdentity(ctx context.Context, c *gate.Call, _ CallerRequest) (*Caller, error) {
	var out Caller
	err := m.gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		p := a.Principal()
		out = Caller{Account: p.Access.Account, ARN: p.ARN, ID: p.Access.ID}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
