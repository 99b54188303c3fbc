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

// DescribePrincipal shows a principal.
func (i Identity) DescribePrincipal(ctx context.Context, req identity.PrincipalRequest) (*identity.Principal, error) {
	return identify(ctx, i, gate.DescribePrincipal, req, (*identity.Manager).DescribePrincipal)
}

// ListPrincipals returns a page of principals by name.
func (i Identity) ListPrincipals(ctx context.Context, req identity.ListPrincipalsRequest) (*identity.PrincipalPage, error) {
	return identify(ctx, i, gate.ListPrincipals, req, (*identity.Manager).ListPrincipals)
}

// UpdatePrincipal changes a principal's tags, disables it or enables it again.
func (i Identity) UpdatePrincipal(ctx context.Context, req identity.UpdatePrincipalRequest) (*identity.Principal, error) {
	return identify(ctx, i, gate.UpdatePrincipal, req, (*identity.Manager).UpdatePrincipal)
}

// DeletePrincipal deletes a principal with its credentials, memberships and inline policies.
func (i Identity) DeletePrincipal(ctx context.Context, req identity.PrincipalRequest) error {
	_, err := identify(ctx, i, gate.DeletePrincipal, req, (*identity.Manager).DeletePrincipal)
	return err
}

// CreateGroup makes a group without members.
func (i Identity) CreateGroup(ctx context.Context, req identity.CreateGroupRequest) (*identity.Group, error) {
	return identify(ctx, i, gate.CreateGroup, req, (*identity.Manager).CreateGroup)
}

// DescribeGroup shows a group and a page of its members.
func (i Identity) DescribeGroup(ctx context.Context, req identity.DescribeGroupRequest) (*identity.GroupMembers, error) {
	return identify(ctx, i, gate.DescribeGroup, req, (*identity.Manager).DescribeGroup)
}

// ListGroups returns a page of groups by name.
func (i Identity) ListGroups(ctx context.Context, req identity.ListGroupsRequest) (*identity.GroupPage, error) {
	return identify(ctx, i, gate.ListGroups, req, (*identity.Manager).ListGroups)
}

// DeleteGroup deletes a group that nobody is in.
func (i Identity) DeleteGroup(ctx context.Context, req identity.GroupRequest) error {
	_, err := identify(ctx, i, gate.DeleteGroup, req, (*identity.Manager).DeleteGroup)
	return err
}

// AddToGroup gives a principal the policies of a group.
func (i Identity) AddToGroup(ctx context.Context, req identity.MembershipRequest) (*identity.Principal, error) {
	return identify(ctx, i, gate.AddToGroup, req, (*identity.Manager).AddToGroup)
}

// RemoveFromGroup takes the policies of a group from a principal.
func (i Identity) RemoveFromGroup(ctx context.Context, req identity.MembershipRequest) (*identity.Principal, error) {
	return identify(ctx, i, gate.RemoveFromGroup, req, (*identity.Manager).RemoveFromGroup)
}

// CreateCredential makes a credential; its secret stands in this one answer.
func (i Identity) CreateCredential(ctx context.Context, req identity.CreateCredentialRequest) (*identity.Credential, error) {
	return identify(ctx, i, gate.CreateCredential, req, (*identity.Manager).CreateCredential)
}

// ListCredentials returns a principal's credentials, never a secret.
func (i Identity) ListCredentials(ctx context.Context, req identity.ListCredentialsRequest) (*identity.CredentialList, error) {
	return identify(ctx, i, gate.ListCredentials, req, (*identity.Manager).ListCredentials)
}

// UpdateCredential makes a credential inactive, or active again.
func (i Identity) UpdateCredential(ctx context.Context, req identity.UpdateCredentialRequest) (*identity.Credential, error) {
	return identify(ctx, i, gate.UpdateCredential, req, (*identity.Manager).UpdateCredential)
}

// RotateCredential replaces a credential by another of its type.
func (i Identity) RotateCredential(ctx context.Context, req identity.RotateCredentialRequest) (*identity.Credential, error) {
	return identify(ctx, i, gate.RotateCredential, req, (*identity.Manager).RotateCredential)
}

// DeleteCredential ends a credential at once.
func (i Identity) DeleteCredential(ctx context.Context, req identity.DeleteCredentialRequest) error {
	_, err := identify(ctx, i, gate.DeleteCredential, req, (*identity.Manager).DeleteCredential)
	return err
}

// GetCallerIdentity tells whom this acts for.
func (i Identity) GetCallerIdentity(ctx context.Context) (*identity.Caller, error) {
	return identify(ctx, i, gate.GetCallerIdentity, identity.CallerRequest{}, (*identity.Manager).GetCallerIdentity)
}

// Approve approves what another principal asked for.
func (i Identity) Approve(ctx context.Context, approval gate.ID) (*identity.Approval, error) {
	return identify(ctx, i, gate.Approve, identity.ApprovalRequest{Approval: approval}, (*identity.Manager).Approve)
}

// ListApprovals lists what waits for approvals, newest first.
func (i Identity) ListApprovals(ctx context.Context, req identity.ListApprovalsRequest) (*identity.ApprovalPage, error) {
	return identify(ctx, i, gate.ListApprovals, req, (*identity.Manager).ListApprovals)
}

// DescribeApproval shows what is asked for, and who approved it.
func (i Identity) DescribeApproval(ctx context.Context, approval gate.ID) (*identity.Approval, error) {
	return identify(ctx, i, gate.DescribeApproval, identity.ApprovalRequest{Approval: approval}, (*identity.Manager).DescribeApproval)
}

// WithdrawApproval ends a request for approvals: nothing is done by it any more.
func (i Identity) WithdrawApproval(ctx context.Context, approval gate.ID) (*identity.Approval, error) {
	return identify(ctx, i, gate.WithdrawApproval, identity.ApprovalRequest{Approval: approval}, (*identity.Manager).WithdrawApproval)
}
