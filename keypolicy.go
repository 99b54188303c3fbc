package haven

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// PutKeyPolicy gives a key a policy of its own.
func (k KeyManager) PutKeyPolicy(ctx context.Context, req keys.PutPolicyRequest) (*keys.Key, error) {
	return call(ctx, k, gate.PutKeyPolicy, req, (*keys.Manager).PutKeyPolicy)
}

// GetKeyPolicy shows a key's policy.
func (k KeyManager) GetKeyPolicy(ctx context.Context, key string) (*keys.KeyPolicy, error) {
	return call(ctx, k, gate.GetKeyPolicy, keys.KeyRequest{Key: key}, (*keys.Manager).GetKeyPolicy)
}

// CreateGrant lets a principal do some operations with a key.
func (k KeyManager) CreateGrant(ctx context.Context, req keys.CreateGrantRequest) (*keys.GrantAnswer, error) {
	return call(ctx, k, gate.CreateGrant, req, (*keys.Manager).CreateGrant)
}

// LintKey tells what of a key is to be looked at again.
func (k KeyManager) LintKey(ctx context.Context, key string) (*keys.LintKeyAnswer, error) {
	return call(ctx, k, gate.LintKey, keys.KeyRequest{Key: key}, (*keys.Manager).LintKey)
}

// ListGrants returns a page of a key's grants, oldest first.
func (k KeyManager) ListGrants(ctx context.Context, req keys.ListGrantsRequest) (*keys.GrantPage, error) {
	return call(ctx, k, gate.ListGrants, req, (*keys.Manager).ListGrants)
}

// RevokeGrant ends a grant.
func (k KeyManager) RevokeGrant(ctx context.Context, req keys.RevokeGrantRequest) (*keys.GrantAnswer, error) {
	return call(ctx, k, gate.RevokeGrant, req, (*keys.Manager).RevokeGrant)
}

// RetireGrant ends a grant as its retiring principal, or its grantee.
func (k KeyManager) RetireGrant(ctx context.Context, req keys.RetireGrantRequest) (*keys.GrantAnswer, error) {
	return call(ctx, k, gate.RetireGrant, req, (*keys.Manager).RetireGrant)
}
