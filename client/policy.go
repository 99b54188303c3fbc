package client

import (
	"context"
	"time"
)

// PolicyKind is what a policy is.
type PolicyKind string

// The kinds of policies.
const (
	ReadyPolicy   PolicyKind = "ready"   // comes with the release, to be attached
	ManagedPolicy PolicyKind = "managed" // to be attached
	InlinePolicy  PolicyKind = "inline"  // of one principal or group alone
	TrustPolicy   PolicyKind = "trust"   // says who may assume a role
)

// PolicyPart is what a policy is to who has it.
type PolicyPart string

// The parts.
const (
	AsPolicy   PolicyPart = ""         // it says what its holder may do
	AsBoundary PolicyPart = "boundary" // its holder may nothing that it does not allow as well
	AsTrust    PolicyPart = "trust"    // it says who may assume its holder
)

// Policy is an IAM policy.
type Policy struct {
	ID   string     `json:"id"`
	Kind PolicyKind `json:"kind"`
	Name string     `json:"name,omitzero"`
	ARN  string     `json:"arn,omitzero"` // of one that can be attached
	// Holder is the ARN of whose inline or trust policy it is or, in a list, of who has it; As tells
	// a boundary from the others there.
	Holder    string     `json:"holder,omitzero"`
	As        PolicyPart `json:"as,omitzero"`
	Document  string     `json:"document,omitzero"` // as it was written; lists leave it out
	CreatedAt time.Time  `json:"created_at,omitzero"`
	UpdatedAt time.Time  `json:"updated_at,omitzero"`
	// Attachments is how many have it, AttachedTo the first hundred: of DescribePolicy alone.
	Attachments int                `json:"attachments,omitzero"`
	AttachedTo  []PolicyAttachment `json:"attached_to,omitzero"`
}

// PolicyAttachment is that a principal or group has a policy.
type PolicyAttachment struct {
	ARN string     `json:"arn"`
	As  PolicyPart `json:"as,omitzero"`
}

// CreatePolicyRequest says what policy to write: Name and Document are required. With Principal or
// Group it is an inline one.
type CreatePolicyRequest struct {
	Name      string `json:"name"`
	Document  string `json:"document"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
}

// CreatePolicy writes a policy. A document that the server cannot honour in every word is refused,
// with the place.
func (c *Client) CreatePolicy(ctx context.Context, request CreatePolicyRequest) (*Policy, error) {
	return call[CreatePolicyRequest, Policy](ctx, c, operation{"create-policy", true}, request)
}

// PolicyRequest names a policy: one that can be attached by ARN, policy/NAME or NAME; an inline one by
// its name, with Principal or Group; a role's trust policy by Principal and AsTrust.
type PolicyRequest struct {
	Policy    string     `json:"policy,omitzero"`
	Principal string     `json:"principal,omitzero"`
	Group     string     `json:"group,omitzero"`
	As        PolicyPart `json:"as,omitzero"`
}

// DescribePolicy shows a policy as it was written, and who has it.
func (c *Client) DescribePolicy(ctx context.Context, request PolicyRequest) (*Policy, error) {
	return call[PolicyRequest, Policy](ctx, c, operation{name: "describe-policy"}, request)
}

// ListPoliciesRequest asks for a page of the policies that can be attached, or for all that Principal
// or Group has, which is one page.
type ListPoliciesRequest struct {
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	Limit     int    `json:"limit,omitzero"`
	Cursor    string `json:"cursor,omitzero"`
}

// PolicyPage is a page of policies; NextCursor is empty at the end.
type PolicyPage struct {
	Policies   []Policy `json:"policies"`
	NextCursor string   `json:"next_cursor,omitzero"`
}

// ListPolicies returns a page of policies.
func (c *Client) ListPolicies(ctx context.Context, request ListPoliciesRequest) (*PolicyPage, error) {
	return call[ListPoliciesRequest, PolicyPage](ctx, c, operation{name: "list-policies"}, request)
}

// UpdatePolicyRequest replaces the document of a policy, named as in [PolicyRequest].
type UpdatePolicyRequest struct {
	Policy    string     `json:"policy,omitzero"`
	Principal string     `json:"principal,omitzero"`
	Group     string     `json:"group,omitzero"`
	As        PolicyPart `json:"as,omitzero"`
	Document  string     `json:"document"`
}

// UpdatePolicy replaces a policy's document, or says who may assume a role. It holds for everybody who
// has the policy when it has returned.
func (c *Client) UpdatePolicy(ctx context.Context, request UpdatePolicyRequest) (*Policy, error) {
	return call[UpdatePolicyRequest, Policy](ctx, c, operation{"update-policy", true}, request)
}

// DeletePolicy deletes a policy that nobody has, or an inline or trust policy.
func (c *Client) DeletePolicy(ctx context.Context, request PolicyRequest) (*Policy, error) {
	return call[PolicyRequest, Policy](ctx, c, operation{"delete-policy", true}, request)
}

// AttachPolicyRequest names a policy, and the principal or group to give it to or take it from.
type AttachPolicyRequest struct {
	Policy    string     `json:"policy"`
	Principal string     `json:"principal,omitzero"`
	Group     string     `json:"group,omitzero"`
	As        PolicyPart `json:"as,omitzero"`
}

// AttachPolicy gives a principal or group a policy, or a principal its boundary. It holds when it has
// returned.
func (c *Client) AttachPolicy(ctx context.Context, request AttachPolicyRequest) (*Policy, error) {
	return call[AttachPolicyRequest, Policy](ctx, c, operation{"attach-policy", true}, request)
}

// DetachPolicy takes a policy or the boundary from who has it. It holds when it has returned.
func (c *Client) DetachPolicy(ctx context.Context, request AttachPolicyRequest) (*Policy, error) {
	return call[AttachPolicyRequest, Policy](ctx, c, operation{"detach-policy", true}, request)
}
