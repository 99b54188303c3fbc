package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// trusts writes a trust policy for one principal.
func trusts(who string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"}}`, who)
}

const account = "arn:aws:iam::000000000000:"

// role makes a role that may roll dice, and that one principal may assume.
func (p place) role(name, trusted string) gate.ID {
	p.Helper()
	made, err := p.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Role, Name: name, Trust: trusted, MaxSessionSeconds: 7200})
	p.must(err)
	p.must(haven{p.Identity()}.create("dice", statement("Allow", "kms:GenerateRandom sts:AssumeRole"), "role/"+name))
	return made.ID
}

func (p place) assume(as gate.ID, req identity.AssumeRoleRequest) (*identity.Session, error) {
	return p.As(as).Identity().AssumeRole(background, req)
}

// try does what kms:GenerateRandom allows, by a session's token.
func (p place) try(token string) error {
	c, err := p.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Bearer: secret.New([]byte(token))})
	if err != nil {
		return err
	}
	return p.Gate().Do(background, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{}, nil })
}

// TestAssumeRole: a session has the role's rights, under the role's name and its own, until its end.
func TestAssumeRole(t *testing.T) {
	p := newPlace(t)
	clerk := p.person(identity.User, "clerk")
	role := p.role("auditor", trusts(account+"user/clerk"))
	from := p.Position()
	s, err := p.assume(clerk, identity.AssumeRoleRequest{Role: "auditor", SessionName: "night"})
	p.must(err)
	if s.ID != role.String()+":night" || s.ARN != "arn:aws:sts::000000000000:assumed-role/auditor/night" || !s.ExpiresAt.Equal(p.Clock.Wall().Add(time.Hour)) || !strings.HasPrefix(s.Token, identity.TokenPrefix) {
		t.Errorf("the session is %+v", s)
	}
	if said := p.Records(from)[0].Parameters; !strings.Contains(said, "role="+role.String()) || strings.Contains(said, s.Token) || strings.Contains(said, "night") {
		t.Errorf("the record says %q", said)
	}
	c, err := p.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Bearer: secret.New([]byte(s.Token))})
	p.must(err)
	if who := c.Principal(); who.ID != role || who.Name != "auditor/night" || who.ARN != s.ARN || who.Access.ID != s.ID || who.Access.RoleID != role.String() ||
		who.Access.RoleARN != account+"role/auditor" || who.Access.Kind != "AssumedRole" || !who.Access.Temporary || !who.Access.Issued.Equal(p.Clock.Wall()) || who.Administrator {
		t.Errorf("the session proves %+v, %+v", who, who.Access)
	}
	p.must(p.try(s.Token))
	p.refused("the clerk's own right", gate.AccessDenied, p.random(clerk))
	for _, kind := range store.Kinds() {
		for _, item := range p.Items(kind) {
			if strings.Contains(string(item.Body), s.Token) || strings.Contains(item.ID, s.Token) {
				t.Errorf("the token stands in a %s", kind)
			}
		}
	}
	p.Clock.Advance(time.Hour - 1)
	p.must(p.try(s.Token))
	p.Reopen()
	p.must(p.try(s.Token))
	p.Clock.Advance(1)
	p.refused("at its end", gate.Unauthenticated, p.try(s.Token))
}

// TestWhoAssumes: the trust policy names who may, or leaves it to the account; then it takes a policy
// of the caller's own as well. Whatever is wrong, the answer is one.
func TestWhoAssumes(t *testing.T) {
	p := newPlace(t)
	clerk, nurse := p.person(identity.User, "clerk"), p.person(identity.User, "nurse")
	p.role("named", trusts(account+"user/clerk"))
	p.role("left", trusts("000000000000"))
	p.role("closed", "")
	p.role("denied", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},
		{"Effect":"Deny","Principal":{"AWS":"`+account+`user/clerk"},"Action":"sts:AssumeRole"}]}`)
	p.must(haven{p.Identity()}.create("assume", statement("Allow", "sts:AssumeRole"), "nurse"))
	var refusals []string
	for _, c := range []struct {
		role string
		as   gate.ID
		may  bool
	}{
		{"named", clerk, true}, {"named", nurse, false}, {"left", clerk, false}, {"left", nurse, true}, {"closed", nurse, false},
		{"denied", clerk, false}, {"denied", nurse, true}, {"absent", nurse, false}, {"closed", p.Admin, false}, {"left", p.Admin, true},
	} {
		_, err := p.assume(c.as, identity.AssumeRoleRequest{Role: c.role, SessionName: "one"})
		if c.may {
			p.must(err)
			continue
		}
		p.refused(c.role, gate.AccessDenied, err)
		refusals = append(refusals, strings.Fields(strings.TrimRight(err.Error(), "0123456789abcdef-"))...)
	}
	if len(refusals) == 0 || strings.Contains(strings.Join(refusals, " "), "trust") {
		t.Errorf("refusals say %q", refusals)
	}
	// Who is made again under a name that a trust policy had may not what the other might.
	p.Damaged = true // a principal without its name's item, which no operation leaves
	items := p.Items(store.KindName)
	for i := range items {
		if items[i].ID == "user/clerk" {
			p.Stage(gate.Change{Ref: items[i].Ref, Before: &items[i], Delete: true})
		}
	}
	again := p.person(identity.User, "clerk")
	_, err := p.assume(again, identity.AssumeRoleRequest{Role: "named", SessionName: "one"})
	p.refused("another of the name", gate.AccessDenied, err)
}

// TestSessionEnds: what ends a session holds when the call has returned, and after a restart.
func TestSessionEnds(t *testing.T) {
	for what, c := range map[string]struct {
		code gate.Code
		end  func(p place, role gate.ID) error
	}{
		"the role's policy goes": {gate.AccessDenied, func(p place, _ gate.ID) error {
			return haven{p.Identity()}.remove(identity.PolicyRequest{Policy: "dice", Principal: "role/auditor"})
		}},
		"a boundary leaves it out": {gate.AccessDenied, func(p place, _ gate.ID) error {
			return haven{p.Identity()}.attach("HavenDecryptOnly", "role/auditor", identity.Boundary)
		}},
		"older ones are denied": {gate.AccessDenied, func(p place, _ gate.ID) error {
			p.Clock.Advance(time.Second)
			return haven{p.Identity()}.create("revoke", fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":%q}}}}`,
				p.Clock.Wall().Format(time.RFC3339)), "role/auditor")
		}},
		"the role is disabled": {gate.Unauthenticated, func(p place, role gate.ID) error { return p.alter(role, `"v":1`, `"v":1,"disabled":true`) }},
		"the role is deleted":  {gate.Unauthenticated, func(p place, role gate.ID) error { return p.alter(role, "", "") }},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			clerk := p.person(identity.User, "clerk")
			role := p.role("auditor", trusts(account+"user/clerk"))
			s, err := p.assume(clerk, identity.AssumeRoleRequest{Role: "auditor", SessionName: "night"})
			p.must(err)
			p.must(p.try(s.Token))
			p.must(c.end(p, role))
			p.refused("at once", c.code, p.try(s.Token))
			p.Reopen()
			p.refused("after a restart", c.code, p.try(s.Token))
			if what == "older ones are denied" {
				p.Clock.Advance(time.Second)
				later, err := p.assume(clerk, identity.AssumeRoleRequest{Role: "auditor", SessionName: "night"})
				p.must(err)
				p.must(p.try(later.Token))
			}
		})
	}
}

// alter changes a principal's stored body, or deletes it.
func (p place) alter(id gate.ID, old, new string) error {
	p.Helper()
	p.Damaged = true // it is not what an operation leaves
	item := stored(p.World, store.Ref{Kind: store.KindPrincipal, ID: string(id[:])})
	p.Stage(gate.Change{Ref: item.Ref, Index: item.Index, Before: item, Delete: old == "", Body: []byte(strings.Replace(string(item.Body), old, new, 1))})
	return nil
}

// TestSessionBounds: how long a session lasts, what a session policy leaves, and what is refused.
func TestSessionBounds(t *testing.T) {
	p := newPlace(t)
	clerk := p.person(identity.User, "clerk")
	p.role("auditor", trusts(account+"user/clerk"))
	p.role("second", trusts(account+"role/auditor"))
	for what, c := range map[string]struct {
		req  identity.AssumeRoleRequest
		code gate.Code
	}{
		"too short":               {identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: 899}, gate.InvalidRequest},
		"longer than the role's":  {identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: 7201}, gate.InvalidRequest},
		"longer than any":         {identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: 43201}, gate.InvalidRequest},
		"negative":                {identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: -3600}, gate.InvalidRequest},
		"a number beyond numbers": {identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: 1 << 62}, gate.InvalidRequest},
		"no session's name":       {identity.AssumeRoleRequest{Role: "auditor"}, gate.InvalidRequest},
		"a session's odd name":    {identity.AssumeRoleRequest{Role: "auditor", SessionName: "a/b"}, gate.InvalidRequest},
		"a user":                  {identity.AssumeRoleRequest{Role: account + "user/clerk", SessionName: "one"}, gate.InvalidRequest},
		"a policy that is none":   {identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", Policy: "{}"}, gate.InvalidRequest},
	} {
		_, err := p.assume(clerk, c.req)
		p.refused(what, c.code, err)
	}
	longest, err := p.assume(clerk, identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: 7200})
	p.must(err)
	within, err := p.assume(clerk, identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", Policy: statement("Allow", "kms:Encrypt")})
	p.must(err)
	p.must(p.try(longest.Token))
	p.refused("what a session policy leaves out", gate.AccessDenied, p.try(within.Token))
	chained := func(seconds int) error {
		c, err := p.Gate().Begin(background, gate.AssumeRole, gate.Proof{Bearer: secret.New([]byte(longest.Token))})
		p.must(err)
		_, err = p.IdentityManager().AssumeRole(background, c, identity.AssumeRoleRequest{Role: "second", SessionName: "two", DurationSeconds: seconds})
		return err
	}
	p.must(chained(3600))
	p.refused("a chained session of more than an hour", gate.InvalidRequest, chained(3601))
	for what, req := range map[string]identity.CreatePrincipalRequest{
		"a user's trust":       {Kind: identity.User, Name: "x", Trust: trusts("000000000000")},
		"a user's sessions":    {Kind: identity.User, Name: "x", MaxSessionSeconds: 3600},
		"too short sessions":   {Kind: identity.Role, Name: "x", MaxSessionSeconds: 3599},
		"too long sessions":    {Kind: identity.Role, Name: "x", MaxSessionSeconds: 43201},
		"trust of nobody":      {Kind: identity.Role, Name: "x", Trust: trusts(account + "user/nobody")},
		"trust with resources": {Kind: identity.Role, Name: "x", Trust: statement("Allow", "sts:AssumeRole")},
	} {
		_, err := p.Identity().CreatePrincipal(background, req)
		p.refused(what, gate.InvalidRequest, err)
	}
}

// TestSessionsAreSwept: what is left of sessions that ended goes as others begin.
func TestSessionsAreSwept(t *testing.T) {
	p := newPlace(t)
	clerk := p.person(identity.User, "clerk")
	p.role("auditor", trusts(account+"user/clerk"))
	for range 200 {
		_, err := p.assume(clerk, identity.AssumeRoleRequest{Role: "auditor", SessionName: "one", DurationSeconds: 900})
		p.must(err)
		p.Clock.Advance(5 * time.Minute)
	}
	if n := len(p.Items(store.KindCredential)); n > 50 {
		t.Errorf("%d credentials are left, three sessions last", n)
	}
}
