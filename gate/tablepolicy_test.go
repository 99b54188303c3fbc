package gate_test

import (
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}`

// trust lets whoever the account lets.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}`

// policyRows are the operations on policies.
func policyRows() map[string]row {
	return map[string]row{
		"assume-role": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().AssumeRole(background, c, identity.AssumeRoleRequest{Role: "ward", SessionName: pick(fail, "", "night")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed, prepare: withPolicy,
		},
		"lint-access": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().LintAccess(background, c, identity.LintAccessRequest{Document: pick(fail, "{}", document)})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"list-access": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().ListAccess(background, c, identity.ListAccessRequest{Key: f.key, Action: pick(fail, "nothing", "decrypt")})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		},
		"preview-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().PreviewPolicy(background, c, identity.PreviewPolicyRequest{Policy: "p", Document: pick(fail, "{}", document), Key: f.key})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false), prepare: withPolicy,
		},
		"explain-access": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().ExplainAccess(background, c, identity.ExplainAccessRequest{
					Principal: "nurse", Action: pick(fail, "nothing", "decrypt"), Key: f.key})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false), prepare: withPolicy,
		},
		"create-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().CreatePolicy(background, c, identity.CreatePolicyRequest{Name: "p", Document: pick(fail, "{}", document)})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"describe-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().DescribePolicy(background, c, identity.PolicyRequest{Policy: pick(fail, "none", "p")})
				return err
			},
			fails: gate.NotFound, names: nothingNamed, prepare: withPolicy,
		},
		"list-policies": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().ListPolicies(background, c, identity.ListPoliciesRequest{Cursor: pick(fail, "?", "")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"update-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().UpdatePolicy(background, c, identity.UpdatePolicyRequest{
					Policy: "p", Document: pick(fail, "{}", document)})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed, prepare: withPolicy,
		},
		"delete-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().DeletePolicy(background, c, identity.PolicyRequest{Policy: pick(fail, "none", "p")})
				return err
			},
			fails: gate.NotFound, names: nothingNamed, prepare: withPolicy,
		},
		"attach-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().AttachPolicy(background, c, identity.AttachPolicyRequest{Policy: "p", Principal: pick(fail, "nobody", "nurse")})
				return err
			},
			fails: gate.NotFound, names: nothingNamed, prepare: withPolicy,
		},
		"detach-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().DetachPolicy(background, c, identity.AttachPolicyRequest{Policy: "HavenAuditor", Principal: pick(fail, "nobody", "nurse")})
				return err
			},
			fails: gate.NotFound, names: nothingNamed, prepare: withPolicy,
		},
	}
}

// withPolicy makes a policy, and somebody who has another.
func withPolicy(f *fixture) {
	_, err := f.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: "p", Document: document})
	f.must(err)
	_, err = f.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "nurse"})
	f.must(err)
	_, err = f.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Role, Name: "ward", Trust: trust})
	f.must(err)
	_, err = f.Identity().AttachPolicy(background, identity.AttachPolicyRequest{Policy: "HavenAuditor", Principal: "nurse"})
	f.must(err)
}
