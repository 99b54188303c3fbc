package gate_test

import (
	"strings"

	"github.com/haven-health/haven/identity"
)

// changesOfPolicies are the operations on policies, and the making of who has them.
func changesOfPolicies() map[string]changing {
	denial := strings.Replace(document, "Allow", "Deny", 1)
	person := func(kind identity.Kind, name string) effect {
		return func(f *furnished) error {
			made, err := f.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: kind, Name: name})
			if err == nil {
				f.called[made.ID.String()] = strings.ToUpper(name)
			}
			return err
		}
	}
	create := func(name, text, principal string) effect {
		return func(f *furnished) error {
			made, err := f.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: name, Document: text, Principal: principal})
			if err == nil {
				f.called[made.ID.String()] = strings.ToUpper("policy " + name + principal)
			}
			return err
		}
	}
	attach := func(policy, principal string, as identity.Part) effect {
		return func(f *furnished) error {
			_, err := f.Identity().AttachPolicy(background, identity.AttachPolicyRequest{Policy: policy, Principal: principal, As: as})
			return err
		}
	}
	detach := func(policy, principal string, as identity.Part) effect {
		return func(f *furnished) error {
			_, err := f.Identity().DetachPolicy(background, identity.AttachPolicyRequest{Policy: policy, Principal: principal, As: as})
			return err
		}
	}
	update := func(policy, principal string, as identity.Part, text string) effect {
		return func(f *furnished) error {
			_, err := f.Identity().UpdatePolicy(background, identity.UpdatePolicyRequest{Policy: policy, Principal: principal, As: as, Document: text})
			return err
		}
	}
	remove := func(policy, principal string, as identity.Part) effect {
		return func(f *furnished) error {
			_, err := f.Identity().DeletePolicy(background, identity.PolicyRequest{Policy: policy, Principal: principal, As: as})
			return err
		}
	}
	prepare := func(before ...effect) func(*furnished) {
		return func(f *furnished) {
			for _, do := range append([]effect{
				person(identity.User, "nurse"), person(identity.Role, "ward"), person(identity.Role, "night"),
				create("p", document, ""), create("q", document, ""), create("own", document, "nurse"), create("own", document, "role/ward"),
			}, before...) {
				f.must(do(f))
			}
		}
	}
	assume := func(role string, seconds int, policy string) effect {
		return func(f *furnished) error {
			_, err := f.Identity().AssumeRole(background, identity.AssumeRoleRequest{Role: role, SessionName: "night", DurationSeconds: seconds, Policy: policy})
			return err
		}
	}
	return map[string]changing{
		"assume-role": {
			prepare: prepare(update("", "role/ward", identity.TrustPolicy, trust), update("", "role/night", identity.TrustPolicy, trust)),
			effects: []effect{assume("ward", 900, ""), assume("ward", 1000, ""), assume("night", 900, ""), assume("ward", 900, document)},
		},
		"create-principal": {effects: []effect{person(identity.User, "a"), person(identity.Service, "a"), person(identity.Role, "a")}},
		"create-policy": {prepare: prepare(), effects: []effect{
			create("r", document, ""), create("s", document, ""), create("r", denial, ""), create("r", document, "nurse"), create("r", document, "role/ward"),
		}},
		"update-policy": {prepare: prepare(update("", "role/ward", identity.TrustPolicy, trust)), effects: []effect{
			update("p", "", "", denial), update("q", "", "", denial), update("p", "", "", denial+" "), update("own", "nurse", "", denial),
			update("own", "role/ward", "", denial), update("", "role/night", identity.TrustPolicy, trust), update("", "role/ward", identity.TrustPolicy, trust+" "),
		}},
		"delete-policy": {prepare: prepare(update("", "role/ward", identity.TrustPolicy, trust)), effects: []effect{
			remove("p", "", ""), remove("q", "", ""), remove("own", "nurse", ""), remove("own", "role/ward", ""), remove("", "role/ward", identity.TrustPolicy),
		}},
		"attach-policy": {prepare: prepare(), effects: []effect{
			attach("p", "nurse", ""), attach("q", "nurse", ""), attach("HavenAuditor", "nurse", ""), attach("HavenOperator", "nurse", ""),
			attach("p", "role/ward", ""), attach("p", "nurse", identity.Boundary), attach("q", "role/ward", identity.Boundary),
		}},
		"detach-policy": {
			prepare: prepare(attach("p", "nurse", ""), attach("q", "nurse", ""), attach("p", "nurse", identity.Boundary), attach("p", "role/ward", "")),
			effects: []effect{detach("p", "nurse", ""), detach("q", "nurse", ""), detach("p", "nurse", identity.Boundary), detach("p", "role/ward", "")},
		},
	}
}
