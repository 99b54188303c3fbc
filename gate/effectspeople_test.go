package gate_test

import (
	"encoding/json"
	"time"

	"github.com/haven-health/haven/identity"
)

// staffed adds a nurse in two groups, with a token and an access key, another principal who has
// neither, and two groups that nobody is in.
func (f *furnished) staffed() {
	id := f.Identity()
	for _, name := range []string{"nurse", "other"} {
		p, err := id.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: name, Tags: map[string]string{"a": "1", "b": "2"}})
		f.must(err)
		f.called[p.ID.String()] = name
	}
	for _, name := range []string{"nurses", "more", "empty", "emptier"} {
		g, err := id.CreateGroup(background, identity.CreateGroupRequest{Name: name})
		f.must(err)
		f.called[g.ID.String()] = name
	}
	for _, name := range []string{"nurses", "more"} {
		_, err := id.AddToGroup(background, identity.MembershipRequest{Principal: "nurse", Group: name})
		f.must(err)
	}
	for _, kind := range []string{"bearer", "access-key"} {
		c, err := id.CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: kind})
		f.must(err)
		f.called[c.ID] = kind
	}
}

// idOf is the id of what a test calls so.
func (f *furnished) idOf(name string) string {
	for id, called := range f.called {
		if called == name {
			return id
		}
	}
	f.Fatalf("nothing is called %s", name)
	return ""
}

// people tells all that there is of principals, groups and credentials, but for secrets.
func (f *furnished) people() string {
	f.Helper()
	id := f.Identity()
	principals, err := id.ListPrincipals(background, identity.ListPrincipalsRequest{})
	f.must(err)
	groups, err := id.ListGroups(background, identity.ListGroupsRequest{})
	f.must(err)
	all := []any{principals, groups}
	for _, g := range groups.Groups {
		members, err := id.DescribeGroup(background, identity.DescribeGroupRequest{Group: g.Name})
		f.must(err)
		all = append(all, members)
	}
	for _, p := range principals.Principals {
		if p.Kind == identity.Role {
			continue
		}
		list, err := id.ListCredentials(background, identity.ListCredentialsRequest{Principal: p.Name})
		f.must(err)
		all = append(all, list)
	}
	text, err := json.Marshal(all)
	f.must(err)
	return f.plain(string(text))
}

func changesOfPeople() map[string]changing {
	type create = identity.CreatePrincipalRequest
	type update = identity.UpdatePrincipalRequest
	creating := func(req create) effect {
		return func(f *furnished) error { _, err := f.Identity().CreatePrincipal(background, req); return err }
	}
	updating := func(req update) effect {
		return func(f *furnished) error { _, err := f.Identity().UpdatePrincipal(background, req); return err }
	}
	deleting := func(who string) effect {
		return func(f *furnished) error {
			return f.Identity().DeletePrincipal(background, identity.PrincipalRequest{Principal: who})
		}
	}
	grouping := func(name string) effect {
		return func(f *furnished) error {
			_, err := f.Identity().CreateGroup(background, identity.CreateGroupRequest{Name: name})
			return err
		}
	}
	ungrouping := func(name string) effect {
		return func(f *furnished) error {
			return f.Identity().DeleteGroup(background, identity.GroupRequest{Group: name})
		}
	}
	adding := func(who, group string) effect {
		return func(f *furnished) error {
			_, err := f.Identity().AddToGroup(background, identity.MembershipRequest{Principal: who, Group: group})
			return err
		}
	}
	removing := func(group string) effect {
		return func(f *furnished) error {
			_, err := f.Identity().RemoveFromGroup(background, identity.MembershipRequest{Principal: "nurse", Group: group})
			return err
		}
	}
	yes, tags := true, map[string]string{"c": "3"}
	staffed := func(effects ...effect) changing { return changing{(*furnished).staffed, effects} }
	return map[string]changing{
		"create-principal": staffed(
			creating(create{Kind: identity.User, Name: "x"}), creating(create{Kind: identity.Service, Name: "x"}), creating(create{Kind: identity.Role, Name: "x"}),
			creating(create{Kind: identity.User, Name: "x", Tags: map[string]string{"a": ""}}), creating(create{Kind: identity.User, Name: "x", Tags: map[string]string{"b": ""}}),
			creating(create{Kind: identity.User, Name: "x", Tags: manyTags("a")}), creating(create{Kind: identity.User, Name: "x", Tags: manyTags("b")}),
		),
		"update-principal": staffed(
			updating(update{Principal: "nurse", Disabled: &yes}), updating(update{Principal: "other", Disabled: &yes}),
			updating(update{Principal: "nurse", Tags: tags}), updating(update{Principal: "nurse", Tags: tags, Disabled: &yes}), updating(update{Principal: "nurse", Tags: manyTags("a")}),
			updating(update{Principal: "nurse", RemoveTags: []string{"a"}}), updating(update{Principal: "nurse", RemoveTags: []string{"b"}}),
		),
		"delete-principal":  staffed(deleting("nurse"), deleting("other")),
		"create-group":      staffed(grouping("x"), grouping("y")),
		"delete-group":      staffed(ungrouping("empty"), ungrouping("emptier")),
		"add-to-group":      staffed(adding("nurse", "empty"), adding("nurse", "emptier"), adding("other", "empty")),
		"remove-from-group": staffed(removing("nurses"), removing("more")),
	}
}

func changesOfCredentials() map[string]changing {
	type create = identity.CreateCredentialRequest
	end := func(f *furnished, days int) time.Time {
		if days == 0 {
			return time.Time{}
		}
		return f.Clock.Wall().Add(time.Duration(days) * 24 * time.Hour)
	}
	creating := func(who, kind string, days int) effect {
		return func(f *furnished) error {
			_, err := f.Identity().CreateCredential(background, create{Principal: who, Type: kind, ExpiresAt: end(f, days)})
			return err
		}
	}
	deactivating := func(kind string) effect {
		return func(f *furnished) error {
			_, err := f.Identity().UpdateCredential(background, identity.UpdateCredentialRequest{Principal: "nurse", Credential: f.idOf(kind), Active: new(bool)})
			return err
		}
	}
	rotating := func(kind string, overlap, days int) effect {
		return func(f *furnished) error {
			_, err := f.Identity().RotateCredential(background, identity.RotateCredentialRequest{
				Principal: "nurse", Credential: f.idOf(kind), OverlapSeconds: &overlap, ExpiresAt: end(f, days),
			})
			return err
		}
	}
	deleting := func(kind string) effect {
		return func(f *furnished) error {
			return f.Identity().DeleteCredential(background, identity.DeleteCredentialRequest{Principal: "nurse", Credential: f.idOf(kind)})
		}
	}
	staffed := func(effects ...effect) changing { return changing{(*furnished).staffed, effects} }
	return map[string]changing{
		"create-credential": staffed(creating("nurse", "bearer", 0), creating("nurse", "access-key", 0), creating("other", "bearer", 0), creating("nurse", "bearer", 1), creating("nurse", "bearer", 2)),
		"update-credential": staffed(deactivating("bearer"), deactivating("access-key")),
		"rotate-credential": staffed(rotating("bearer", 0, 0), rotating("bearer", 60, 0), rotating("bearer", 61, 0), rotating("bearer", 60, 1), rotating("access-key", 60, 0)),
		"delete-credential": staffed(deleting("bearer"), deleting("access-key")),
	}
}
