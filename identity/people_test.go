package identity_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// people is a World with a nurse, who has a token and is in a group that may make random bytes.
type people struct {
	*gatetest.World
	nurse, group gate.ID
	token        secret.Bytes
	credential   string
}

// allowing is a policy that allows an action on anything.
func (p *people) allowing(action string) gate.ID {
	p.Helper()
	id, err := gate.NewID(p.Clock.Wall(), p.System.Config().Random)
	p.ok(err)
	document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":"*"}}`, action)
	change := gate.Change{
		Ref:  store.Ref{Kind: store.KindPolicy, ID: string(id[:])},
		Body: fmt.Appendf(nil, `{"v":1,"name":"allowing","created":%q,"document":%q}`, gatetest.Start.Format(time.RFC3339), document),
	}
	change.Index[0] = "managed"
	p.Stage(change)
	return id
}

// give adds a policy to the item of a principal or group.
func (p *people) give(kind store.Kind, to, policy gate.ID) {
	p.Helper()
	item := stored(p.World, store.Ref{Kind: kind, ID: string(to[:])})
	body := strings.TrimSuffix(string(item.Body), "}") + fmt.Sprintf(`,"policies":[%q]}`, policy)
	p.Stage(gate.Change{Ref: item.Ref, Index: item.Index, Before: item, Body: []byte(body)})
}

func newPeople(t *testing.T) *people {
	p := &people{World: gatetest.New(t)}
	nurse, err := p.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "nurse", Tags: map[string]string{"team": "clinic"}})
	p.ok(err)
	group, err := p.Identity().CreateGroup(background, identity.CreateGroupRequest{Name: "nurses"})
	p.ok(err)
	p.nurse, p.group = nurse.ID, group.ID
	p.give(store.KindGroup, p.group, p.allowing("kms:GenerateRandom"))
	_, err = p.Identity().AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "nurses"})
	p.ok(err)
	made := p.bearer("nurse")
	p.token, p.credential = secret.New([]byte(made.Token)), made.ID
	return p
}

func (p *people) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *people) bearer(who string) *identity.Credential {
	p.Helper()
	made, err := p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: who, Type: "bearer"})
	p.ok(err)
	return made
}

// works does with a token what the group allows.
func (p *people) works(token secret.Bytes) error {
	p.Helper()
	c, err := p.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Bearer: token})
	if err != nil {
		return err
	}
	return p.Gate().Do(background, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{}, nil })
}

// restricting are the operations that take something from the nurse, and how a use fails after it.
var restricting = map[string]struct {
	do    func(p *people) error
	fails gate.Code
}{
	"disable": {func(p *people) error {
		yes := true
		_, err := p.Identity().UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: "nurse", Disabled: &yes})
		return err
	}, gate.Unauthenticated},
	"delete": {func(p *people) error {
		return p.Identity().DeletePrincipal(background, identity.PrincipalRequest{Principal: "nurse"})
	}, gate.Unauthenticated},
	"remove from group": {func(p *people) error {
		_, err := p.Identity().RemoveFromGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "nurses"})
		return err
	}, gate.AccessDenied},
	"make inactive": {func(p *people) error {
		no := false
		_, err := p.Identity().UpdateCredential(background, identity.UpdateCredentialRequest{Principal: "nurse", Credential: p.credential, Active: &no})
		return err
	}, gate.Unauthenticated},
	"delete credential": {func(p *people) error {
		return p.Identity().DeleteCredential(background, identity.DeleteCredentialRequest{Principal: "nurse", Credential: p.credential})
	}, gate.Unauthenticated},
	"rotate without overlap": {func(p *people) error {
		_, err := p.Identity().RotateCredential(background, identity.RotateCredentialRequest{Principal: "nurse", Credential: p.credential, OverlapSeconds: new(int)})
		return err
	}, gate.Unauthenticated},
}

// TestLesson12RestrictionsHoldAfterRestart: what was taken away is away when the call has returned, on
// a server that goes on and on one that was started again (CVE-2022-30689).
func TestLesson12RestrictionsHoldAfterRestart(t *testing.T) {
	for what, r := range restricting {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %t", what, restart), func(t *testing.T) {
				p := newPeople(t)
				p.ok(p.works(p.token)) // and is held ready
				p.ok(r.do(p))
				if restart {
					p.Reopen()
				}
				if err := p.works(p.token); !errors.Is(err, r.fails) {
					t.Errorf("answered %v, want %s", err, r.fails)
				}
			})
		}
	}
}

// TestLesson13NothingIsInherited: who is made again under an old name has nothing of who had it before
// (CVE-2020-10660, CVE-2020-10661).
func TestLesson13NothingIsInherited(t *testing.T) {
	for _, restart := range []bool{false, true} {
		p := newPeople(t)
		p.ok(p.works(p.token))
		p.ok(p.Identity().DeletePrincipal(background, identity.PrincipalRequest{Principal: "nurse"}))
		again, err := p.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Service, Name: "nurse"})
		p.ok(err)
		if restart {
			p.Reopen()
		}
		if again.ID == p.nurse || len(again.Groups) > 0 || len(again.Tags) > 0 {
			t.Errorf("made again: %+v", again)
		}
		if err := p.works(p.token); !errors.Is(err, gate.Unauthenticated) {
			t.Errorf("the old token: %v", err)
		}
		made := p.bearer("nurse")
		if err := p.works(secret.New([]byte(made.Token))); !errors.Is(err, gate.AccessDenied) {
			t.Errorf("the old group's right: %v", err)
		}
		list, err := p.Identity().ListCredentials(background, identity.ListCredentialsRequest{Principal: "nurse"})
		if err != nil || len(list.Credentials) != 1 {
			t.Errorf("%+v, %v", list, err)
		}

		p.ok(p.Identity().DeleteGroup(background, identity.GroupRequest{Group: "nurses"}))
		_, err = p.Identity().CreateGroup(background, identity.CreateGroupRequest{Name: "nurses"})
		p.ok(err)
		group, err := p.Identity().DescribeGroup(background, identity.DescribeGroupRequest{Group: "nurses"})
		if err != nil || group.ID == p.group || len(group.Members) > 0 {
			t.Errorf("%+v, %v", group, err)
		}
		_, err = p.Identity().AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "nurses"})
		p.ok(err)
		if err := p.works(secret.New([]byte(made.Token))); !errors.Is(err, gate.AccessDenied) {
			t.Errorf("the old group's policy: %v", err)
		}
	}
}

// TestStrangersLearnNothing: who may not do an operation is told the same of a principal that there is
// and of one that there is not.
func TestStrangersLearnNothing(t *testing.T) {
	p := newPeople(t)
	as := p.As(p.nurse).Identity()
	yes := true
	for what, ask := range map[string]func(who string) error{
		"describe": func(who string) error {
			_, err := as.DescribePrincipal(background, identity.PrincipalRequest{Principal: who})
			return err
		},
		"update": func(who string) error {
			_, err := as.UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: who, Disabled: &yes})
			return err
		},
		"delete": func(who string) error {
			return as.DeletePrincipal(background, identity.PrincipalRequest{Principal: who})
		},
		"create": func(who string) error {
			_, err := as.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: who})
			return err
		},
		"create credential": func(who string) error {
			_, err := as.CreateCredential(background, identity.CreateCredentialRequest{Principal: who, Type: "bearer"})
			return err
		},
		"list credentials": func(who string) error {
			_, err := as.ListCredentials(background, identity.ListCredentialsRequest{Principal: who})
			return err
		},
		"group": func(who string) error {
			_, err := as.DescribeGroup(background, identity.DescribeGroupRequest{Group: who})
			return err
		},
	} {
		for _, who := range []string{"administrator", "nobody", "nurses"} {
			if err := ask(who); !errors.Is(err, gate.AccessDenied) {
				t.Errorf("%s %s: %v", what, who, err)
			}
		}
	}
}

// TestAdministratorsAreTheirOwn: no policy lets anybody else take an administrator over, and the last
// one stays, with a credential.
func TestAdministratorsAreTheirOwn(t *testing.T) {
	p := newPeople(t)
	p.give(store.KindPrincipal, p.nurse, p.allowing("iam:*"))
	as, yes := p.As(p.nurse).Identity(), true
	_, err := as.CreateCredential(background, identity.CreateCredentialRequest{Principal: "administrator", Type: "bearer"})
	if !errors.Is(err, gate.AccessDenied) {
		t.Errorf("a credential of an administrator: %v", err)
	}
	if err := as.DeletePrincipal(background, identity.PrincipalRequest{Principal: "administrator"}); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("the end of an administrator: %v", err)
	}
	p.ok(func() error {
		_, err := as.CreateCredential(background, identity.CreateCredentialRequest{Type: "bearer"})
		return err
	}())

	// The last one.
	if err := p.Identity().DeletePrincipal(background, identity.PrincipalRequest{Principal: "administrator"}); !errors.Is(err, gate.Conflict) {
		t.Errorf("the last administrator: %v", err)
	}
	if _, err := p.Identity().UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: "administrator", Disabled: &yes}); !errors.Is(err, gate.Conflict) {
		t.Errorf("the last administrator disabled: %v", err)
	}
	list, err := p.Identity().ListCredentials(background, identity.ListCredentialsRequest{})
	p.ok(err)
	only := identity.DeleteCredentialRequest{Credential: list.Credentials[0].ID}
	if err := p.Identity().DeleteCredential(background, only); !errors.Is(err, gate.Conflict) {
		t.Errorf("the last administrator's last credential: %v", err)
	}
	p.bearer("administrator")
	p.ok(p.Identity().DeleteCredential(background, only))

	// One of two.
	p.Principal("second", true)
	p.ok(p.Identity().DeletePrincipal(background, identity.PrincipalRequest{Principal: "second"}))
}

func TestPrincipals(t *testing.T) {
	p := newPeople(t)
	id := p.Identity()
	for _, req := range []identity.CreatePrincipalRequest{
		{Kind: identity.Service, Name: "clinic-api"}, {Kind: identity.Role, Name: "auditor"}, {Kind: identity.Role, Name: "nurse"}, {Kind: identity.User, Name: "amina"},
	} {
		_, err := id.CreatePrincipal(background, req)
		p.ok(err)
	}
	for who, want := range map[string]string{
		"nurse": "user", "user/nurse": "user", "role/nurse": "role", "arn:aws:iam::000000000000:role/nurse": "role", "arn:aws:iam::000000000000:user/nurse": "user",
	} {
		got, err := id.DescribePrincipal(background, identity.PrincipalRequest{Principal: who})
		if err != nil || string(got.Kind) != want {
			t.Errorf("%s: %+v, %v", who, got, err)
		}
	}
	for _, who := range []string{"", "a/b", "group/nurses", "arn:aws:iam::111122223333:user/nurse", "arn:aws:iam::000000000000:group/nurses", "arn:aws:iam::000000000000:user/"} {
		if _, err := id.DescribePrincipal(background, identity.PrincipalRequest{Principal: who}); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%q: %v", who, err)
		}
	}
	if _, err := id.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Service, Name: "nurse"}); !errors.Is(err, gate.AlreadyExists) {
		t.Errorf("a name twice: %v", err)
	}
	for limit := 1; limit < 9; limit++ {
		var names []string
		req := identity.ListPrincipalsRequest{Limit: limit}
		for {
			page, err := id.ListPrincipals(background, req)
			p.ok(err)
			for _, one := range page.Principals {
				names = append(names, string(one.Kind)+"/"+one.Name)
			}
			if req.Cursor = page.NextCursor; req.Cursor == "" {
				break
			}
		}
		want := []string{"user/administrator", "user/amina", "service/clinic-api", "user/nurse", "role/auditor", "role/nurse"}
		if !slices.Equal(names, want) {
			t.Errorf("pages of %d: %q", limit, names)
		}
	}
	page, err := id.ListPrincipals(background, identity.ListPrincipalsRequest{Kind: identity.Service, Prefix: "c"})
	if err != nil || len(page.Principals) != 1 || page.Principals[0].Name != "clinic-api" {
		t.Errorf("services: %+v, %v", page, err)
	}
}

func TestUpdatePrincipal(t *testing.T) {
	p := newPeople(t)
	yes, no := true, false
	p.ok(p.works(p.token))
	got, err := p.Identity().UpdatePrincipal(background, identity.UpdatePrincipalRequest{
		Principal: "nurse", Tags: map[string]string{"site": "camp-3"}, RemoveTags: []string{"team", "none"}, Disabled: &yes,
	})
	if err != nil || len(got.Tags) != 1 || got.Tags["site"] != "camp-3" || !got.Disabled || len(got.Groups) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = p.Identity().UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: "nurse", Disabled: &no})
	p.ok(err)
	p.ok(p.works(p.token)) // enabled again
	for _, req := range []identity.UpdatePrincipalRequest{{}, {Tags: map[string]string{"aws:x": ""}}, {RemoveTags: []string{""}}} {
		req.Principal = "nurse"
		if _, err := p.Identity().UpdatePrincipal(background, req); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

func TestGroups(t *testing.T) {
	p := newPeople(t)
	id := p.Identity()
	if err := id.DeleteGroup(background, identity.GroupRequest{Group: "nurses"}); !errors.Is(err, gate.Conflict) {
		t.Errorf("a group with members: %v", err)
	}
	_, err := id.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Role, Name: "auditor"})
	p.ok(err)
	if _, err := id.AddToGroup(background, identity.MembershipRequest{Principal: "role/auditor", Group: "nurses"}); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("a role in a group: %v", err)
	}
	for i := range identity.MaxGroups {
		name := fmt.Sprintf("group-%d", i)
		_, err := id.CreateGroup(background, identity.CreateGroupRequest{Name: name})
		p.ok(err)
		_, err = id.AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: name})
		if full := i == identity.MaxGroups-1; full != errors.Is(err, gate.LimitExceeded) {
			t.Errorf("group %d: %v", i, err)
		}
	}
	again, err := id.AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "nurses"})
	if err != nil || len(again.Groups) != identity.MaxGroups {
		t.Errorf("once more: %+v, %v", again, err)
	}
	for i := range 5 {
		name := fmt.Sprintf("carer-%d", i)
		_, err := id.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: name})
		p.ok(err)
		_, err = id.AddToGroup(background, identity.MembershipRequest{Principal: name, Group: "arn:aws:iam::000000000000:group/nurses"})
		p.ok(err)
	}
	var members []string
	for req := (identity.DescribeGroupRequest{Group: "group/nurses", Limit: 2}); ; {
		page, err := id.DescribeGroup(background, req)
		p.ok(err)
		for _, m := range page.Members {
			members = append(members, m.Name)
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			break
		}
	}
	slices.Sort(members)
	if !slices.Equal(members, []string{"carer-0", "carer-1", "carer-2", "carer-3", "carer-4", "nurse"}) {
		t.Errorf("members %q", members)
	}
	page, err := id.ListGroups(background, identity.ListGroupsRequest{Prefix: "n"})
	if err != nil || len(page.Groups) != 1 || page.Groups[0].ID != p.group {
		t.Errorf("%+v, %v", page, err)
	}
	// Who is deleted leaves no membership, so that the group can go.
	p.ok(id.DeletePrincipal(background, identity.PrincipalRequest{Principal: "nurse"}))
	for i := range 5 {
		_, err := id.RemoveFromGroup(background, identity.MembershipRequest{Principal: fmt.Sprintf("carer-%d", i), Group: "nurses"})
		p.ok(err)
	}
	p.ok(id.DeleteGroup(background, identity.GroupRequest{Group: "nurses"}))
}

// TestNobodyJoinsWhatIsDeleted: of one who is added to a group and one who deletes it at the same
// time, the later one fails: nobody is in a group that there is not.
func TestNobodyJoinsWhatIsDeleted(t *testing.T) {
	p := newPeople(t)
	id := p.Identity()
	joined := 0
	for i := range 60 {
		_, err := id.CreateGroup(background, identity.CreateGroupRequest{Name: "short"})
		p.ok(err)
		var wait sync.WaitGroup
		var added, deleted error
		wait.Go(func() {
			_, added = id.AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "short"})
		})
		wait.Go(func() {
			for range i * 10 { // one or the other is first
				runtime.Gosched()
			}
			deleted = id.DeleteGroup(background, identity.GroupRequest{Group: "short"})
		})
		wait.Wait()
		if (added == nil) == (deleted == nil) {
			t.Fatalf("added %v, deleted %v", added, deleted)
		}
		p.ok(p.works(p.token))
		if added == nil {
			joined++
			_, err := id.RemoveFromGroup(background, identity.MembershipRequest{Principal: "nurse", Group: "short"})
			p.ok(err)
			p.ok(id.DeleteGroup(background, identity.GroupRequest{Group: "short"}))
		}
	}
	t.Logf("%d of 60 times it was joined first", joined)
}
