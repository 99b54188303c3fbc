package haven

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// CreatePolicy writes a policy, to be attached or of one principal or group alone.
func (i Identity) CreatePolicy(ctx context.Context, req identity.CreatePolicyRequest) (*identity.Policy, error) {
	return identify(ctx, i, gate.CreatePolicy, req, (*identity.Manager).CreatePolicy)
}

// DescribePolicy shows a policy as it was written, and who has it.
func (i Identity) DescribePolicy(ctx context.Context, req identity.PolicyRequest) (*identity.Policy, error) {
	return identify(ctx, i, gate.DescribePolicy, req, (*identity.Manager).DescribePolicy)
}

// ListPolicies returns a page of the policies that can be attached, or all that somebody has.
func (i Identity) ListPolicies(ctx context.Context, req identity.ListPoliciesRequest) (*identity.PolicyPage, error) {
	return identify(ctx, i, gate.ListPolicies, req, (*identity.Manager).ListPolicies)
}

// UpdatePolicy replaces a policy's document, or says who may assume a role.
func (i Identity) UpdatePolicy(ctx context.Context, req identity.UpdatePolicyRequest) (*identity.Policy, error) {
	return identify(ctx, i, gate.UpdatePolicy, req, (*identity.Manager).UpdatePolicy)
}

// DeletePolicy deletes a policy that nobody has, or an inline or trust policy.
func (i Identity) DeletePolicy(ctx context.Context, req identity.PolicyRequest) (*identity.Policy, error) {
	return identify(ctx, i, gate.DeletePolicy, req, (*identity.Manager).DeletePolicy)
}

// AttachPolicy gives a principal or group a policy, or a principal its boundary.
func (i Identity) AttachPolicy(ctx context.Context, req identity.AttachPolicyRequest) (*identity.Policy, error) {
	return identify(ctx, i, gate.AttachPolicy, req, (*identity.Manager).AttachPolicy)
}

// DetachPolicy takes a policy or the boundary from who has it.
func (i Identity) DetachPolicy(ctx context.Context, req identity.AttachPolicyRequest) (*identity.Policy, error) {
	return identify(ctx, i, gate.DetachPolicy, req, (*identity.Manager).DetachPolicy)
}

// AssumeRole begins a session of a role for whom its trust policy lets in.
func (i Identity) AssumeRole(ctx context.Context, req identity.AssumeRoleRequest) (*identity.Session, error) {
	return identify(ctx, i, gate.AssumeRole, req, (*identity.Manager).AssumeRole)
}

// LintAccess looks at a policy document before it is saved.
func (i Identity) LintAccess(ctx context.Context, req identity.LintAccessRequest) (*identity.LintAccessAnswer, error) {
	return identify(ctx, i, gate.LintAccess, req, (*identity.Manager).LintAccess)
}

// ExplainAccess tells why a request was refused, or how one would be decided.
func (i Identity) ExplainAccess(ctx context.Context, req identity.ExplainAccessRequest) (*identity.ExplainAccessAnswer, error) {
	return identify(ctx, i, gate.ExplainAccess, req, (*identity.Manager).ExplainAccess)
}

// ListAccess tells who can do something to a key, and why.
func (i Identity) ListAccess(ctx context.Context, req identity.ListAccessRequest) (*identity.AccessPage, error) {
	return identify(ctx, i, gate.ListAccess, req, (*identity.Manager).ListAccess)
}

// PreviewPolicy tells who would gain and who would lose what by another document of a policy.
func (i Identity) PreviewPolicy(ctx context.Context, req identity.PreviewPolicyRequest) (*identity.PolicyPreview, error) {
	return identify(ctx, i, gate.PreviewPolicy, req, (*identity.Manager).PreviewPolicy)
}
