package keys

import (
	"context"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// decide adds to a loaded key what decides about it beside its principals' policies: its own policy,
// read in one snapshot with it, and its grants. What the key says it has is there, or nothing is done
// with it: whoever took it away may have taken a Deny away.
func (r *Ring) decide(ctx context.Context, id gate.ID, k *loadedKey, policy *store.Item) error {
	if has := policy.Revision != 0; has != k.body.Policy {
		return altered(id, "policy")
	} else if has {
		b, err := decodeKeyPolicy(policy)
		if err != nil {
			return err
		}
		k.policy = policy
		if k.object.Policy, err = b.compile(r.cfg.Place.Account); err != nil {
			return gate.Errorf(gate.Internal, "the policy of key %s cannot be honoured; it may come from a later release: %v", id, err)
		}
	}
	if k.body.Grants == 0 {
		return nil
	}
	page, err := r.cfg.View.List(ctx, store.Query{Kind: store.KindGrant, Index: indexGrantOf, Value: string(id[:]), Limit: store.MaxPage})
	if err != nil {
		return err
	}
	if len(page.Items) != k.body.Grants { // read apart from the key: if the two met a change, the gate runs the operation again
		return altered(id, "grants")
	}
	k.object.Grants = map[string][]access.Grant{}
	for i := range page.Items {
		g, err := decodeGrant(&page.Items[i])
		if err != nil {
			return err
		}
		one, err := g.decision()
		if err != nil {
			return unreadable(page.Items[i].Ref, err)
		}
		k.grants = append(k.grants, g)
		k.object.Grants[one.Grantee] = append(k.object.Grants[one.Grantee], one)
	}
	return nil
}

func altered(id gate.ID, what string) error {
	return gate.Errorf(gate.Tampered, "the %s of key %s in the store are not what Haven wrote; the key is not used. Run haven fsck", what, id)
}
