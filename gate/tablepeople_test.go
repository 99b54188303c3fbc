package gate_test

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// staffed makes a nurse with a token in a group, and a group that nobody is in.
func staffed(f *fixture) {
	id := f.Identity()
	_, err := id.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "nurse"})
	f.must(err)
	for _, name := range []string{"nurses", "empty"} {
		_, err := id.CreateGroup(background, identity.CreateGroupRequest{Name: name})
		f.must(err)
	}
	_, err = id.AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "nurses"})
	f.must(err)
	made, err := id.CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "bearer"})
	f.must(err)
	f.credential = made.ID
}

// person is a row of an operation whose request is made from a name.
func person[Req, Answer any](request func(f *fixture, fail bool) Req, fails gate.Code, do func(*identity.Manager, context.Context, *gate.Call, Req) (Answer, error)) row {
	return row{
		run: func(f *fixture, c *gate.Call, fail bool) error {
			_, err := do(f.IdentityManager(), background, c, request(f, fail))
			return err
		},
		fails: fails, names: nothingNamed,
	}.after(staffed)
}

func whom(f *fixture, fail bool) identity.PrincipalRequest {
	return identity.PrincipalRequest{Principal: pick(fail, "nobody", "nurse")}
}

func membership(group string) func(*fixture, bool) identity.MembershipRequest {
	return func(_ *fixture, fail bool) identity.MembershipRequest {
		return identity.MembershipRequest{Principal: pick(fail, "nobody", "nurse"), Group: group}
	}
}

// peopleRows are the operations on principals, groups and credentials.
func peopleRows() map[string]row {
	yes := true
	return map[string]row{
		"create-principal": person(func(_ *fixture, fail bool) identity.CreatePrincipalRequest {
			return identity.CreatePrincipalRequest{Kind: identity.User, Name: pick(fail, "a/b", "doctor")}
		}, gate.InvalidRequest, (*identity.Manager).CreatePrincipal),
		"describe-principal": person(whom, gate.NotFound, (*identity.Manager).DescribePrincipal),
		"list-principals": person(func(_ *fixture, fail bool) identity.ListPrincipalsRequest {
			return identity.ListPrincipalsRequest{Kind: identity.Kind(pick(fail, "odd", "user"))}
		}, gate.InvalidRequest, (*identity.Manager).ListPrincipals),
		"update-principal": person(func(_ *fixture, fail bool) identity.UpdatePrincipalRequest {
			return identity.UpdatePrincipalRequest{Principal: pick(fail, "nobody", "nurse"), Disabled: &yes}
		}, gate.NotFound, (*identity.Manager).UpdatePrincipal),
		"delete-principal": person(whom, gate.NotFound, (*identity.Manager).DeletePrincipal),
		"create-group": person(func(_ *fixture, fail bool) identity.CreateGroupRequest {
			return identity.CreateGroupRequest{Name: pick(fail, "nurses", "doctors")}
		}, gate.AlreadyExists, (*identity.Manager).CreateGroup),
		"describe-group": person(func(_ *fixture, fail bool) identity.DescribeGroupRequest {
			return identity.DescribeGroupRequest{Group: pick(fail, "nobodies", "nurses")}
		}, gate.NotFound, (*identity.Manager).DescribeGroup),
		"list-groups": person(func(_ *fixture, fail bool) identity.ListGroupsRequest {
			return identity.ListGroupsRequest{Cursor: pick(fail, "?", "")}
		}, gate.InvalidRequest, (*identity.Manager).ListGroups),
		"delete-group": person(func(_ *fixture, fail bool) identity.GroupRequest {
			return identity.GroupRequest{Group: pick(fail, "nurses", "empty")}
		}, gate.Conflict, (*identity.Manager).DeleteGroup),
		"add-to-group":      person(membership("empty"), gate.NotFound, (*identity.Manager).AddToGroup),
		"remove-from-group": person(membership("nurses"), gate.NotFound, (*identity.Manager).RemoveFromGroup),
		"create-credential": person(func(_ *fixture, fail bool) identity.CreateCredentialRequest {
			return identity.CreateCredentialRequest{Principal: "nurse", Type: pick(fail, "odd", "access-key")}
		}, gate.InvalidRequest, (*identity.Manager).CreateCredential),
		"list-credentials": person(func(_ *fixture, fail bool) identity.ListCredentialsRequest {
			return identity.ListCredentialsRequest{Principal: pick(fail, "nobody", "nurse")}
		}, gate.NotFound, (*identity.Manager).ListCredentials),
		"update-credential": person(func(f *fixture, fail bool) identity.UpdateCredentialRequest {
			return identity.UpdateCredentialRequest{Principal: pick(fail, "administrator", "nurse"), Credential: f.credential, Active: &yes}
		}, gate.NotFound, (*identity.Manager).UpdateCredential),
		"rotate-credential": person(func(f *fixture, fail bool) identity.RotateCredentialRequest {
			return identity.RotateCredentialRequest{Principal: pick(fail, "administrator", "nurse"), Credential: f.credential}
		}, gate.NotFound, (*identity.Manager).RotateCredential),
		"delete-credential": person(func(f *fixture, fail bool) identity.DeleteCredentialRequest {
			return identity.DeleteCredentialRequest{Principal: pick(fail, "administrator", "nurse"), Credential: f.credential}
		}, gate.NotFound, (*identity.Manager).DeleteCredential),
		"get-caller-identity": {
			run: func(f *fixture, c *gate.Call, _ bool) error {
				_, err := f.IdentityManager().GetCallerIdentity(background, c, identity.CallerRequest{})
				return err
			},
			names: nothingNamed,
		},
	}
}
