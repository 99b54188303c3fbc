package haven

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// Identity manages principals, groups and credentials, acting for one principal, whom the process
// vouches for.
type Identity struct {
	system    *System
	principal gate.ID
}

// Identity acts as the local administrator.
func (s *System) Identity() Identity { return Identity{s, s.admin} }

// Identity acts for the principal.
func (a Acting) Identity() Identity { return Identity(a) }

// identify begins an operation, runs it and returns its answer.
func identify[Req, Answer any](ctx context.Context, i Identity, op *gate.Operation, req Req, do func(*identity.Manager, context.Context, *gate.Call, Req) (Answer, error)) (Answer, error) {
	c, err := i.system.gate.Begin(ctx, op, gate.Proof{Local: i.principal})
	if err != nil {
		var none Answer
		return none, err
	}
	return do(i.system.people, ctx, c, req)
}

// CreatePrincipal makes a user, a service or a role, without any right.
func (i Identity) CreatePrincipal(ctx context.Context, req identity.CreatePrincipalRequest) (*identity.Principal, error) {
	return identify(ctx, i, gate.CreatePrincipal, req, (*identity.Manager).CreatePrincipal)
}
