package client_test

import (
	"reflect"
	"testing"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/haventest"
)

// TestPeople walks the operations on principals, groups and credentials, against a real server:
// what one call makes, the next one names.
func TestPeople(t *testing.T) {
	c, ctx := haventest.New(t, haventest.InMemory()).Client, t.Context()
	done := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	amina, err := c.CreatePrincipal(ctx, client.CreatePrincipalRequest{Kind: client.User, Name: "amina"})
	done(err)
	group, err := c.CreateGroup(ctx, "nurses")
	done(err)
	in, err := c.AddToGroup(ctx, client.MembershipRequest{Principal: "amina", Group: "nurses"})
	if err != nil || in.ID != amina.ID || !reflect.DeepEqual(in.Groups, []string{"nurses"}) {
		t.Errorf("%+v, %v", in, err)
	}
	members, err := c.DescribeGroup(ctx, client.DescribeGroupRequest{Group: group.ARN})
	if err != nil || len(members.Members) != 1 || members.Members[0].ID != amina.ID {
		t.Errorf("%+v, %v", members, err)
	}
	groups, err := c.ListGroups(ctx, client.ListGroupsRequest{Prefix: "n"})
	if err != nil || len(groups.Groups) != 1 {
		t.Errorf("%+v, %v", groups, err)
	}
	made, err := c.CreateCredential(ctx, client.CreateCredentialRequest{Principal: "amina", Type: client.BearerToken})
	if err != nil || made.Token == "" || made.Replayed {
		t.Fatalf("%v, %v", made, err)
	}
	next, err := c.RotateCredential(ctx, client.RotateCredentialRequest{Principal: "amina", Credential: made.ID})
	if err != nil || next.Token == "" || next.ID == made.ID {
		t.Errorf("%v, %v", next, err)
	}
	off, err := c.UpdateCredential(ctx, client.UpdateCredentialRequest{Principal: "amina", Credential: made.ID})
	if err != nil || off.Active {
		t.Errorf("%v, %v", off, err)
	}
	done(c.DeleteCredential(ctx, client.DeleteCredentialRequest{Principal: "amina", Credential: made.ID}))
	list, err := c.ListCredentials(ctx, "amina")
	if err != nil || len(list.Credentials) != 1 || list.Credentials[0].ID != next.ID {
		t.Errorf("%v, %v", list, err)
	}
	_, err = c.RemoveFromGroup(ctx, client.MembershipRequest{Principal: "amina", Group: "nurses"})
	done(err)
	done(c.DeleteGroup(ctx, "nurses"))
	yes := true
	_, err = c.UpdatePrincipal(ctx, client.UpdatePrincipalRequest{Principal: "amina", Disabled: &yes})
	done(err)
	shown, err := c.DescribePrincipal(ctx, "amina")
	if err != nil || !shown.Disabled {
		t.Errorf("%+v, %v", shown, err)
	}
	done(c.DeletePrincipal(ctx, "amina"))
	page, err := c.ListPrincipals(ctx, client.ListPrincipalsRequest{Kind: client.User})
	if err != nil || len(page.Principals) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	who, err := c.GetCallerIdentity(ctx)
	if err != nil || who.ID != page.Principals[0].ID || who.ARN != page.Principals[0].ARN {
		t.Errorf("%+v, %v", who, err)
	}
}
