package client

import (
	"context"
	"time"
)

// PutKeyPolicyRequest gives a key a policy of its own, in place of the one it has. Key and Document,
// an IAM policy, are required.
type PutKeyPolicyRequest struct {
	Key      string `json:"key"`
	Document string `json:"document"`
	// BypassLockoutCheck takes a policy under which the caller could not put another.
	BypassLockoutCheck bool `json:"bypass_policy_lockout_safety_check,omitzero"`
}

// PutKeyPolicy gives a key a policy of its own. When it has returned, every decision about the key is
// by it.
func (c *Client) PutKeyPolicy(ctx context.Context, request PutKeyPolicyRequest) (*Key, error) {
	return call[PutKeyPolicyRequest, Key](ctx, c, operation{"put-key-policy", true}, request)
}

// KeyPolicy is a key's policy. Document is as it was written, with the ARNs that its principals have
// now; of those deleted since, their ids.
type KeyPolicy struct {
	KeyID    string `json:"key_id"`
	Document string `json:"document"`
	// Default tells that the key has none of its own: Document says what holds then.
	Default   bool      `json:"default,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy string    `json:"updated_by,omitzero"`
}

// GetKeyPolicy shows a key's policy.
func (c *Client) GetKeyPolicy(ctx context.Context, key string) (*KeyPolicy, error) {
	return call[keyRequest, KeyPolicy](ctx, c, operation{name: "get-key-policy"}, keyRequest{key})
}

// CreateGrantRequest lets GranteePrincipal, an ARN, do Operations with a key: Decrypt, Encrypt and the
// like. These three are required.
type CreateGrantRequest struct {
	Key              string   `json:"key"`
	GranteePrincipal string   `json:"grantee_principal"`
	Operations       []string `json:"operations"`
	// RetiringPrincipal is the ARN of who else may end it by RetireGrant.
	RetiringPrincipal string `json:"retiring_principal,omitzero"`
	// ContextEquals is the whole encryption context that it is good for, or ContextSubset what the
	// context has at least; at most one of the two.
	ContextEquals map[string]string `json:"encryption_context_equals,omitzero"`
	ContextSubset map[string]string `json:"encryption_context_subset,omitzero"`
	// Name makes a repetition safe: the same grant of the same name is answered, not made again.
	Name string `json:"name,omitzero"`
}

// GrantAnswer names a grant. GrantToken is no secret and needed nowhere: a grant counts when the call
// has returned.
type GrantAnswer struct {
	KeyID      string `json:"key_id"`
	GrantID    string `json:"grant_id"`
	GrantToken string `json:"grant_token,omitzero"` // of CreateGrant alone
}

// CreateGrant makes a grant.
func (c *Client) CreateGrant(ctx context.Context, request CreateGrantRequest) (*GrantAnswer, error) {
	return call[CreateGrantRequest, GrantAnswer](ctx, c, operation{"create-grant", true}, request)
}

// ListGrantsRequest asks for a page of a key's grants: all, or those of GranteePrincipal, or the one of
// GrantID. Key is required.
type ListGrantsRequest struct {
	Key              string `json:"key"`
	GranteePrincipal string `json:"grantee_principal,omitzero"`
	GrantID          string `json:"grant_id,omitzero"`
	Limit            int    `json:"limit,omitzero"`
	Cursor           string `json:"cursor,omitzero"`
}

// Grant is a grant on a key. Principals are ARNs; ids of those deleted since.
type Grant struct {
	KeyID             string            `json:"key_id"`
	GrantID           string            `json:"grant_id"`
	Name              string            `json:"name,omitzero"`
	GranteePrincipal  string            `json:"grantee_principal"`
	RetiringPrincipal string            `json:"retiring_principal,omitzero"`
	Operations        []string          `json:"operations"`
	ContextEquals     map[string]string `json:"encryption_context_equals,omitzero"`
	ContextSubset     map[string]string `json:"encryption_context_subset,omitzero"`
	CreatedAt         time.Time         `json:"created_at"`
	CreatedBy         string            `json:"created_by"`
	LastUsedOn        string            `json:"last_used_on,omitzero"` // a day, UTC; empty: never
}

// GrantPage is a page of grants, oldest first; NextCursor is empty at the end.
type GrantPage struct {
	Grants     []Grant `json:"grants"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListGrants returns a page of a key's grants.
func (c *Client) ListGrants(ctx context.Context, request ListGrantsRequest) (*GrantPage, error) {
	return call[ListGrantsRequest, GrantPage](ctx, c, operation{name: "list-grants"}, request)
}

type revokeGrantRequest struct {
	Key     string `json:"key"`
	GrantID string `json:"grant_id"`
}

// RevokeGrant ends a grant on a key, by who manages the key. When it has returned, nothing that begins
// afterwards passes by the grant.
func (c *Client) RevokeGrant(ctx context.Context, key, grantID string) (*GrantAnswer, error) {
	return call[revokeGrantRequest, GrantAnswer](ctx, c, operation{"revoke-grant", true}, revokeGrantRequest{key, grantID})
}

// RetireGrantRequest names a grant: by Key and GrantID, or by GrantToken alone.
type RetireGrantRequest struct {
	Key        string `json:"key,omitzero"`
	GrantID    string `json:"grant_id,omitzero"`
	GrantToken string `json:"grant_token,omitzero"`
}

// RetireGrant ends a grant, by its retiring principal, or by its grantee where it has RetireGrant.
func (c *Client) RetireGrant(ctx context.Context, request RetireGrantRequest) (*GrantAnswer, error) {
	return call[RetireGrantRequest, GrantAnswer](ctx, c, operation{"retire-grant", true}, request)
}
