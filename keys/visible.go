package keys

import (
	"context"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// visible tells whether the caller may describe a key: lists show nothing else. body is the key as
// just read; one with a policy or grants of its own is asked of the ring.
func (r *Ring) visible(ctx context.Context, a gate.Approved, id gate.ID, body *keyBody) (bool, error) {
	var o *access.Object
	if body.Policy || body.Grants > 0 {
		key, err := r.key(ctx, a.Reading(), id)
		if err != nil {
			return false, err
		}
		o = key.object
	} else {
		o = r.object(id, body)
	}
	return a.May(gate.DescribeKey, o, gate.Asked{}), nil
}

// look makes a list look at as many keys as a filtered one does for a caller who may not see them
// all: so that it need not ask for many empty pages.
func (f *filter) look(c *gate.Call) {
	if !seesAll(c.Principal()) {
		f.query.Limit = maxLooked
	}
}

// seesAll tells whether a caller may usually see every key.
func seesAll(p gate.Principal) bool { return p.Access != nil && p.Access.Root }
