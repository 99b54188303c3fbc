package access_test

import (
	"testing"

	"github.com/haven-health/haven/access"
)

// TestGrants: a grant lets its grantee do its operations within its constraints, and nobody else,
// whatever other grants there are; what denies wins.
func TestGrants(t *testing.T) {
	grant := func(grantee string, equals, subset map[string]string, operations ...string) access.Grant {
		g, err := access.NewGrant("a grant", grantee, operations, equals, subset)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	const me, role = "id-of-user/nurse", "id-of-role/ward"
	patient := map[string]string{"Patient": "17"}
	whole := map[string]string{"Patient": "17", "type": "record"}
	deny := compile(t, access.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}}`)
	narrow := compile(t, access.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}`)
	for _, c := range []struct {
		name   string
		grant  access.Grant
		change func(*access.Request)
		want   bool
	}{
		{"plain", grant(me, nil, nil, "Decrypt"), nil, true},
		{"another operation", grant(me, nil, nil, "Encrypt"), nil, false},
		{"another grantee", grant("id-of-user/doctor", nil, nil, "Decrypt"), nil, false},
		{"subset", grant(me, nil, patient, "Decrypt"), nil, true},
		{"subset of another value", grant(me, nil, map[string]string{"Patient": "18"}, "Decrypt"), nil, false},
		{"subset with a name in another case", grant(me, nil, map[string]string{"patient": "17"}, "Decrypt"), nil, true},
		{"equals with a name in another case", grant(me, map[string]string{"patient": "17", "TYPE": "record"}, nil, "Decrypt"), nil, true},
		{"subset with a value in another case", grant(me, nil, map[string]string{"type": "Record"}, "Decrypt"), nil, false},
		{"equals", grant(me, whole, nil, "Decrypt"), nil, true},
		{"equals a part", grant(me, patient, nil, "Decrypt"), nil, false},
		{"without a context", grant(me, nil, patient, "Decrypt"), func(r *access.Request) { r.Context = nil }, false},
		{"of what has no context", grant(me, nil, map[string]string{"Patient": "18"}, "DescribeKey"), func(r *access.Request) {
			r.Action, _ = access.ActionOf("kms:DescribeKey")
		}, true},
		{"denied", grant(me, nil, nil, "Decrypt"), func(r *access.Request) { r.Principal.Policies = []*access.Policy{deny} }, false},
		{"whatever the boundary", grant(me, nil, nil, "Decrypt"), func(r *access.Request) { r.Principal.Boundary = narrow }, true},
		{"the role", grant(role, nil, nil, "Decrypt"), func(r *access.Request) { r.Principal.RoleID = role }, true},
		{"the role within its session", grant(role, nil, nil, "Decrypt"), func(r *access.Request) {
			r.Principal.RoleID, r.Principal.Session = role, narrow
		}, false},
	} {
		r := nurse(t)
		r.Object = &access.Object{ARN: keyARN, Account: account, Grants: map[string][]access.Grant{
			"id-of-user/other": {grant("id-of-user/other", nil, nil, "Sign")}, c.grant.Grantee: {grant(c.grant.Grantee, nil, nil, "Verify"), c.grant},
		}}
		if c.change != nil {
			c.change(r)
		}
		if d := access.Decide(r); d.Allowed != c.want || d.Allowed && d.By != access.ByGrant {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	if _, err := access.NewGrant("", "", []string{"Encyrpt"}, nil, nil); err == nil {
		t.Error("an operation that does not exist is granted")
	}
}
