package identity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// allow writes a policy that allows or denies actions on everything.
func statement(effect, actions string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":["%s"],"Resource":"*"}]}`, effect, strings.Join(strings.Fields(actions), `","`))
}

// place is a world with principals and groups.
type place struct{ *gatetest.World }

func newPlace(t *testing.T) place { return place{gatetest.New(t)} }

func (p place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p place) refused(what string, code gate.Code, err error) {
	p.Helper()
	if !errors.Is(err, code) {
		p.Errorf("%s: %v, want %s", what, err, code)
	}
}

// person makes a principal and returns its id.
func (p place) person(kind identity.Kind, name string) gate.ID {
	p.Helper()
	made, err := p.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: kind, Name: name})
	p.must(err)
	return made.ID
}

func (p place) policy(name, document string) *identity.Policy {
	p.Helper()
	made, err := p.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: name, Document: document})
	p.must(err)
	return made
}

func (p place) attach(policy, principal string, as identity.Part) {
	p.Helper()
	_, err := p.Identity().AttachPolicy(background, identity.AttachPolicyRequest{Policy: policy, Principal: principal, As: as})
	p.must(err)
}

// random does what kms:GenerateRandom allows.
func (p place) random(as gate.ID) error {
	_, err := p.As(as).KeyManager().GenerateRandom(background, keys.RandomRequest{Bytes: 1})
	return err
}

// TestPolicy: a managed policy from its writing to its end, as it is told.
func TestPolicy(t *testing.T) {
	p := newPlace(t)
	clerk := p.person(identity.User, "clerk")
	document := "{\n \"Version\": \"2012-10-17\",\n \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"kms:GenerateRandom\", \"Resource\": \"*\"}\n}\n"
	made := p.policy("dice", document)
	if made.Kind != identity.Managed || made.ARN != "arn:aws:iam::000000000000:policy/dice" || made.Document != document || made.Name != "dice" || !made.CreatedAt.Equal(gatetest.Start) {
		t.Errorf("made %+v", made)
	}
	p.refused("before it is attached", gate.AccessDenied, p.random(clerk))
	p.attach("dice", "clerk", identity.Own)
	p.attach(made.ARN, "user/clerk", identity.Own) // again: as it was
	p.must(p.random(clerk))
	for _, name := range []string{"dice", "policy/dice", made.ARN} {
		shown, err := p.Identity().DescribePolicy(background, identity.PolicyRequest{Policy: name})
		p.must(err)
		if shown.Document != document || shown.Attachments != 1 || len(shown.AttachedTo) != 1 || shown.AttachedTo[0].ARN != "arn:aws:iam::000000000000:user/clerk" {
			t.Errorf("%s is %+v", name, shown)
		}
	}
	_, err := p.Identity().DeletePolicy(background, identity.PolicyRequest{Policy: "dice"})
	p.refused("deleting it while it is attached", gate.Conflict, err)
	if err == nil || !strings.Contains(err.Error(), "attached to 1;") || !strings.Contains(err.Error(), "user/clerk") {
		t.Errorf("it does not say where: %v", err)
	}
	_, err = p.Identity().DetachPolicy(background, identity.AttachPolicyRequest{Policy: "dice", Principal: "clerk"})
	p.must(err)
	p.refused("once it is detached", gate.AccessDenied, p.random(clerk))
	_, err = p.Identity().DetachPolicy(background, identity.AttachPolicyRequest{Policy: "dice", Principal: "clerk"})
	p.refused("detaching it again", gate.NotFound, err)
	_, err = p.Identity().DeletePolicy(background, identity.PolicyRequest{Policy: "dice"})
	p.must(err)
	_, err = p.Identity().DescribePolicy(background, identity.PolicyRequest{Policy: "dice"})
	p.refused("after its end", gate.NotFound, err)
	if again := p.policy("dice", statement("Allow", "kms:*")); again.ID == made.ID {
		t.Error("an id is made twice")
	}
	p.refused("another of its name", gate.AccessDenied, p.random(clerk))
}

// TestPolicyRefused: what cannot be honoured is refused with its place, and the limits hold.
func TestPolicyRefused(t *testing.T) {
	p := newPlace(t)
	p.person(identity.User, "clerk")
	p.person(identity.Role, "auditor")
	p.policy("taken", statement("Allow", "kms:Encrypt"))
	long := func(n int) string {
		document := statement("Allow", "kms:Encrypt")
		return strings.Replace(document, `"Effect"`, fmt.Sprintf(`"Sid":%q,"Effect"`, strings.Repeat("x", n-len(document)-len(`"Sid":"",`))), 1)
	}
	var many []string
	for range 30 {
		many = append(many, `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"`+strings.Repeat(" ", 0)+"arn:aws:kms:us-east-1:000000000000:key/"+strings.Repeat("a", 180)+`"}`)
	}
	tooLong := `{"Version":"2012-10-17","Statement":[` + strings.Join(many, ",") + `]}`
	for what, c := range map[string]struct {
		req  identity.CreatePolicyRequest
		code gate.Code
		says string
	}{
		"an unknown action":   {identity.CreatePolicyRequest{Name: "a", Document: "{\n\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Resource\":\"*\",\n\"Action\":\"kms:Encript\"}]}"}, gate.InvalidRequest, "line 3, column 23, /Statement/0/Action: it matches no action"},
		"no JSON":             {identity.CreatePolicyRequest{Name: "a", Document: "{"}, gate.InvalidRequest, "line 1"},
		"empty":               {identity.CreatePolicyRequest{Name: "a"}, gate.InvalidRequest, "line 1"},
		"with a principal":    {identity.CreatePolicyRequest{Name: "a", Document: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`}, gate.InvalidRequest, "/Statement/Principal"},
		"a name twice":        {identity.CreatePolicyRequest{Name: "taken", Document: statement("Allow", "kms:Encrypt")}, gate.AlreadyExists, ""},
		"a bad name":          {identity.CreatePolicyRequest{Name: "a/b", Document: statement("Allow", "kms:Encrypt")}, gate.InvalidRequest, ""},
		"a reserved name":     {identity.CreatePolicyRequest{Name: "havenAnything", Document: statement("Allow", "kms:Encrypt")}, gate.InvalidRequest, "Haven"},
		"too long":            {identity.CreatePolicyRequest{Name: "a", Document: tooLong}, gate.LimitExceeded, "6144"},
		"too many bytes":      {identity.CreatePolicyRequest{Name: "a", Document: strings.Repeat(" ", access.MaxDocument) + "{}"}, gate.InvalidRequest, "bytes"},
		"of nobody":           {identity.CreatePolicyRequest{Name: "a", Document: statement("Allow", "kms:Encrypt"), Principal: "nobody"}, gate.NotFound, ""},
		"of two":              {identity.CreatePolicyRequest{Name: "a", Document: statement("Allow", "kms:Encrypt"), Principal: "clerk", Group: "clerks"}, gate.InvalidRequest, ""},
		"of an administrator": {identity.CreatePolicyRequest{Name: "a", Document: statement("Deny", "kms:Encrypt"), Principal: "administrator"}, gate.Conflict, ""},
	} {
		_, err := p.Identity().CreatePolicy(background, c.req)
		p.refused(what, c.code, err)
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q does not say %q", what, err, c.says)
		}
	}
	inline := func(name, who string, n int) error {
		_, err := p.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: name, Document: long(n), Principal: who})
		return err
	}
	for i := range identity.MaxInlineUser / 256 {
		p.must(inline(fmt.Sprint("part", i), "clerk", 256))
	}
	p.refused("one character too many", gate.LimitExceeded, inline("more", "clerk", 150))
	p.refused("a name twice", gate.AlreadyExists, inline("part1", "clerk", 256))
	p.must(inline("more", "role/auditor", 300))
	_, err := p.Identity().UpdatePolicy(background, identity.UpdatePolicyRequest{Policy: "part1", Principal: "clerk", Document: long(257)})
	p.refused("one character too many by an update", gate.LimitExceeded, err)
	_, err = p.Identity().UpdatePolicy(background, identity.UpdatePolicyRequest{Policy: "part1", Principal: "clerk", Document: long(255)})
	p.must(err)
}

func TestAttachRefused(t *testing.T) {
	p := newPlace(t)
	clerk := p.person(identity.User, "clerk")
	for i := range identity.MaxAttached + 1 {
		p.policy(fmt.Sprint("p", i), statement("Allow", "kms:Encrypt"))
	}
	for i := range identity.MaxAttached {
		p.attach(fmt.Sprint("p", i), "clerk", identity.Own)
	}
	for what, c := range map[string]struct {
		req  identity.AttachPolicyRequest
		code gate.Code
	}{
		"one too many":                {identity.AttachPolicyRequest{Policy: fmt.Sprint("p", identity.MaxAttached), Principal: "clerk"}, gate.LimitExceeded},
		"an administrator's boundary": {identity.AttachPolicyRequest{Policy: "p1", Principal: "administrator", As: identity.Boundary}, gate.Conflict},
		"to nobody":                   {identity.AttachPolicyRequest{Policy: "p1", Principal: "nobody"}, gate.NotFound},
		"no such policy":              {identity.AttachPolicyRequest{Policy: "nothing", Principal: "clerk"}, gate.NotFound},
		"another's ready":             {identity.AttachPolicyRequest{Policy: "arn:aws:iam::aws:policy/AdministratorAccess", Principal: "clerk"}, gate.InvalidRequest},
		"an account's ready":          {identity.AttachPolicyRequest{Policy: "arn:aws:iam::000000000000:policy/HavenAuditor", Principal: "clerk"}, gate.InvalidRequest},
		"another account's":           {identity.AttachPolicyRequest{Policy: "arn:aws:iam::111111111111:policy/p1", Principal: "clerk"}, gate.InvalidRequest},
		"a group's boundary":          {identity.AttachPolicyRequest{Policy: "p1", Group: "clerks", As: identity.Boundary}, gate.InvalidRequest},
		"as what there is not":        {identity.AttachPolicyRequest{Policy: "p1", Principal: "clerk", As: "owner"}, gate.InvalidRequest},
		"to no one named":             {identity.AttachPolicyRequest{Policy: "p1"}, gate.InvalidRequest},
	} {
		_, err := p.Identity().AttachPolicy(background, c.req)
		p.refused(what, c.code, err)
	}
	_, err := p.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: "own", Document: statement("Allow", "kms:GenerateRandom"), Principal: "clerk"})
	p.must(err) // inline ones are not among the attached
	p.must(p.random(clerk))
	listed, err := p.Identity().ListPolicies(background, identity.ListPoliciesRequest{Principal: "clerk"})
	p.must(err)
	if n := len(listed.Policies); n != identity.MaxAttached+1 || listed.Policies[n-1].Kind != identity.Inline || listed.Policies[n-1].Document != "" {
		t.Errorf("the clerk has %d: %+v", n, listed.Policies[n-1])
	}
}

// TestPermissions: each operation on policies is let in by exactly the permission that AWS has for it,
// on exactly what it is done to.
func TestPermissions(t *testing.T) {
	const on = "arn:aws:iam::000000000000:"
	document := statement("Allow", "kms:Encrypt")
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}`
	named := func(policy, principal string, as identity.Part) identity.PolicyRequest {
		return identity.PolicyRequest{Policy: policy, Principal: principal, As: as}
	}
	for i, c := range []struct {
		action, resource string
		do               func(i haven) error
	}{
		{"iam:CreatePolicy", on + "policy/new", func(i haven) error { return i.create("new", document, "") }},
		{"iam:PutUserPolicy", on + "user/clerk", func(i haven) error { return i.create("new", document, "clerk") }},
		{"iam:PutRolePolicy", on + "role/clerk", func(i haven) error { return i.create("new", document, "role/clerk") }},
		{"iam:GetPolicy", on + "policy/p", func(i haven) error { return i.describe(named("p", "", "")) }},
		{"iam:GetPolicy", "arn:aws:iam::aws:policy/HavenAuditor", func(i haven) error { return i.describe(named("HavenAuditor", "", "")) }},
		{"iam:GetUserPolicy", on + "user/clerk", func(i haven) error { return i.describe(named("inline", "clerk", "")) }},
		{"iam:GetRole", on + "role/clerk", func(i haven) error { return i.describe(named("", "role/clerk", identity.TrustPolicy)) }},
		{"iam:ListPolicies", "*", func(i haven) error { return i.list("") }},
		{"iam:ListAttachedUserPolicies", on + "user/clerk", func(i haven) error { return i.list("clerk") }},
		{"iam:ListAttachedRolePolicies", on + "role/clerk", func(i haven) error { return i.list("role/clerk") }},
		{"iam:CreatePolicyVersion", on + "policy/p", func(i haven) error { return i.update(named("p", "", ""), document) }},
		{"iam:PutUserPolicy", on + "user/clerk", func(i haven) error { return i.update(named("inline", "clerk", ""), document) }},
		{"iam:UpdateAssumeRolePolicy", on + "role/clerk", func(i haven) error { return i.update(named("", "role/clerk", identity.TrustPolicy), trust) }},
		{"iam:DeletePolicy", on + "policy/p", func(i haven) error { return i.remove(named("p", "", "")) }},
		{"iam:DeleteUserPolicy", on + "user/clerk", func(i haven) error { return i.remove(named("inline", "clerk", "")) }},
		{"iam:UpdateAssumeRolePolicy", on + "role/clerk", func(i haven) error { return i.remove(named("", "role/clerk", identity.TrustPolicy)) }},
		{"iam:AttachUserPolicy", on + "user/clerk", func(i haven) error { return i.attach("p", "clerk", "") }},
		{"iam:AttachRolePolicy", on + "role/clerk", func(i haven) error { return i.attach("p", "role/clerk", "") }},
		{"iam:PutUserPermissionsBoundary", on + "user/clerk", func(i haven) error { return i.attach("p", "clerk", identity.Boundary) }},
		{"iam:PutRolePermissionsBoundary", on + "role/clerk", func(i haven) error { return i.attach("p", "role/clerk", identity.Boundary) }},
		{"iam:DetachUserPolicy", on + "user/clerk", func(i haven) error { return i.detach("held", "clerk", "") }},
		{"iam:DetachRolePolicy", on + "role/clerk", func(i haven) error { return i.detach("held", "role/clerk", "") }},
		{"iam:DeleteUserPermissionsBoundary", on + "user/clerk", func(i haven) error { return i.detach("held", "clerk", identity.Boundary) }},
		{"iam:DeleteRolePermissionsBoundary", on + "role/clerk", func(i haven) error { return i.detach("held", "role/clerk", identity.Boundary) }},
	} {
		t.Run(fmt.Sprintf("%d %s", i, c.action), func(t *testing.T) {
			p := newPlace(t)
			clerk := p.person(identity.User, "clerk")
			p.person(identity.Role, "clerk")
			me := p.person(identity.Service, "me")
			p.policy("p", document)
			p.policy("held", document)
			for _, who := range []string{"clerk", "role/clerk"} {
				p.attach("held", who, identity.Own)
				p.attach("held", who, identity.Boundary)
			}
			admin := haven{p.Identity()}
			p.must(admin.create("inline", document, "clerk"))
			p.must(admin.update(named("", "role/clerk", identity.TrustPolicy), trust))
			all := p.policy("mine", statement("Allow", "*")).Name
			p.attach(all, "me", identity.Own)
			write := func(statements string) {
				p.must(admin.update(named(all, "", ""), `{"Version":"2012-10-17","Statement":[`+statements+`]}`))
			}
			as := haven{p.As(me).Identity()}
			write(`{"Effect":"Allow","NotAction":"` + c.action + `","Resource":"*"}`)
			p.refused("every other action", gate.AccessDenied, c.do(as))
			if c.resource != "*" {
				write(`{"Effect":"Allow","Action":"` + c.action + `","NotResource":"` + c.resource + `"}`)
				p.refused("every other resource", gate.AccessDenied, c.do(as))
			}
			write(`{"Effect":"Allow","Action":"` + c.action + `","Resource":"` + c.resource + `"}`)
			if err := c.do(as); err != nil {
				t.Errorf("exactly that: %v", err)
			}
			_ = clerk
		})
	}
}

// denying writes a policy that denies actions, under a condition or none.
func denying(actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["%s"],"Resource":"*"%s}]}`, strings.Join(strings.Fields(actions), `","`), condition)
}

// TestBinding: a policy that is attached to the administrator denies it things, but never what Haven
// itself does in its name, nor, for good, what seals need and what takes the policy off again.
func TestBinding(t *testing.T) {
	two, seventeen := `{"NumericLessThan":{"haven:Approvals":"2"}}`, `{"NumericLessThan":{"haven:Approvals":"17"}}`
	for _, c := range []struct {
		document string
		bound    bool
	}{
		{denying("kms:GenerateRandom", ""), true},
		{denying("haven:*", ""), false},
		{denying("*", two), false}, // Haven itself has no approvals
		{denying("haven:Start", two), false},
		{denying("haven:Pin", `{"Bool":{"aws:SecureTransport":"false"}}`), false},
		{denying("haven:RotateSeal haven:MigrateSeal", two), true},
		{denying("haven:RotateSeal", seventeen), false},
		{denying("haven:MigrateSeal", ""), false},
		{denying("iam:*", two), true},
		{denying("iam:*", `{"NumericLessThanIfExists":{"haven:Approvals":"16"}}`), true},
		{denying("iam:*", seventeen), false},
		{denying("iam:*", `{"DateGreaterThan":{"aws:CurrentTime":"2090-01-01T00:00:00Z"}}`), false},
		{statement("Allow", "*"), true},
	} {
		p := newPlace(t)
		p.policy("binding", c.document)
		_, err := p.Identity().AttachPolicy(background, identity.AttachPolicyRequest{Policy: "binding", Principal: "administrator"})
		if (err == nil) != c.bound || err != nil && !errors.Is(err, gate.Conflict) {
			t.Errorf("%s: %v", c.document, err)
		}
	}
	p := newPlace(t)
	administrator := p.Identity()
	p.policy("binding", denying("kms:GenerateRandom", ""))
	p.attach("binding", "administrator", identity.Own)
	_, err := p.KeyManager().GenerateRandom(background, keys.RandomRequest{Bytes: 1})
	p.refused("random bytes", gate.AccessDenied, err)
	_, err = administrator.UpdatePolicy(background, identity.UpdatePolicyRequest{Policy: "binding", Document: denying("haven:Start", "")})
	p.refused("an update that would stop Haven", gate.Conflict, err)
	_, err = administrator.CreateGroup(background, identity.CreateGroupRequest{Name: "all"})
	p.must(err)
	_, err = administrator.AddToGroup(background, identity.MembershipRequest{Principal: "administrator", Group: "all"})
	p.refused("an administrator in a group", gate.Conflict, err)
}
