package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// People tells who there is in the account. Its methods must be safe for concurrent use; what they
// answer is for people to read, or becomes an id, which is never given twice.
type People interface {
	// NamesOf returns what principals are called, of those that there are.
	NamesOf(ctx context.Context, ids []gate.ID) (map[gate.ID]string, error)
	// PrincipalOf returns the id of the principal that an ARN names now; the zero id if there is none.
	PrincipalOf(ctx context.Context, arn string) (gate.ID, error)
	// ARNsOf returns the ARNs of principals, of those that there are.
	ARNsOf(ctx context.Context, ids []gate.ID) (map[gate.ID]string, error)
}

// called returns what principals are shown as: their ARNs, and the ids of those deleted since.
func (r *Ring) called(ctx context.Context, ids ...gate.ID) (map[gate.ID]string, error) {
	arns, err := r.cfg.People.ARNsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[gate.ID]string, len(ids))
	for _, id := range ids {
		if out[id] = arns[id]; out[id] == "" {
			out[id] = id.String()
		}
	}
	return out, nil
}
