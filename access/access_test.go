package access_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/access"
)

const (
	account = "111122223333"
	keyARN  = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// context is an encryption context in the order of its names.
type context []access.Tag

func (c context) Get(name string) (string, bool) {
	for _, t := range c {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

func (c context) Name(i int) (string, bool) {
	if i >= len(c) {
		return "", false
	}
	return c[i].Name, true
}

// people is who there is in the account.
func people(arn string) (string, bool) {
	name, ok := strings.CutPrefix(arn, "arn:aws:iam::"+account+":")
	return "id-of-" + name, ok && (strings.HasPrefix(name, "user/") || strings.HasPrefix(name, "role/")) && !strings.Contains(name, "nobody")
}

func compile(t testing.TB, form access.Form, document string) *access.Policy {
	t.Helper()
	p, err := access.Compile([]byte(document), form, account, people)
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	return p
}

// nurse asks to decrypt with a key, from an address, for a patient.
func nurse(t testing.TB, policies ...*access.Policy) *access.Request {
	t.Helper()
	decrypt, ok := access.ActionOf("kms:Decrypt")
	if !ok {
		t.Fatal("no kms:Decrypt")
	}
	return &access.Request{
		Principal: &access.Principal{
			ID: "id-of-user/nurse", ARN: "arn:aws:iam::" + account + ":user/nurse", Account: account, Kind: "User", Name: "nurse",
			Tags: map[string]string{"Team": "camp-3", "star": "*"}, Policies: policies,
		},
		Action: decrypt, Time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Source: netip.MustParseAddr("10.1.2.3"),
		Secure: true, UserAgent: "clinic/1.0", Region: "us-east-1",
		Object:  &access.Object{ARN: keyARN, Account: account, Tags: map[string]string{"team": "camp-3"}},
		Context: context{{"Patient", "17"}, {"type", "record"}},
		Values: []access.Value{
			{Key: access.KeySpec, Text: "SYMMETRIC_DEFAULT"}, {Key: access.Approvals, Text: "2"},
			{Key: access.ResourceAliases, Text: "alias/a"}, {Key: access.ResourceAliases, Text: "alias/b"},
		},
	}
}

func allow(condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{` + condition + `}}}`
}

// TestConditions: each operator, with values that hold and values that do not, a key that is
// missing, IfExists and the qualifiers.
func TestConditions(t *testing.T) {
	for condition, want := range map[string]bool{
		`"StringEquals":{"aws:username":"nurse"}`:                                                   true,
		`"StringEquals":{"aws:username":["doctor","nurse"]}`:                                        true,
		`"StringEquals":{"AWS:USERNAME":"nurse"}`:                                                   true,
		`"StringEquals":{"aws:username":"Nurse"}`:                                                   false,
		`"StringEquals":{"aws:username":"nur*"}`:                                                    false,
		`"StringNotEquals":{"aws:username":["doctor","nurse"]}`:                                     false,
		`"StringNotEquals":{"aws:username":"doctor"}`:                                               true,
		`"StringEqualsIgnoreCase":{"aws:username":"NURSE"}`:                                         true,
		`"StringNotEqualsIgnoreCase":{"aws:username":"NURSE"}`:                                      false,
		`"StringLike":{"aws:username":"n?r*e"}`:                                                     true,
		`"StringNotLike":{"aws:username":"n?r*e"}`:                                                  false,
		`"StringEquals":{"kms:EncryptionContext:Patient":"17"}`:                                     true,
		`"StringEquals":{"kms:EncryptionContext:patient":"17"}`:                                     false, // names of a context keep their case
		`"StringNotEquals":{"kms:EncryptionContext:ward":"3"}`:                                      true,  // missing
		`"StringEqualsIfExists":{"kms:EncryptionContext:ward":"3"}`:                                 true,
		`"StringEqualsIfExists":{"kms:EncryptionContext:Patient":"18"}`:                             false,
		`"StringEquals":{"aws:PrincipalTag/team":"camp-3"}`:                                         true, // names of tags do not
		`"StringEquals":{"aws:ResourceTag/Team":"${aws:PrincipalTag/Team}"}`:                        true,
		`"StringLike":{"kms:EncryptionContext:type":"${aws:PrincipalTag/star}"}`:                    false, // a value is literal
		`"StringLike":{"aws:PrincipalTag/star":"${*}"}`:                                             true,
		`"StringLike":{"kms:EncryptionContext:type":"${*}"}`:                                        false,
		`"StringEquals":{"aws:username":"${aws:PrincipalTag/none, 'nurse'}"}`:                       true,
		`"StringEquals":{"aws:username":"${aws:PrincipalTag/none}"}`:                                false,
		`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}`:                                    true,
		`"ArnEquals":{"aws:PrincipalArn":"arn:aws:*:user/nurse:*:*:*"}`:                             false, // within their part only
		`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/nurse"}`:                  false,
		`"BinaryEquals":{"aws:username":"bnVyc2U="}`:                                                true,
		`"NumericGreaterThanEquals":{"haven:Approvals":2}`:                                          true,
		`"NumericGreaterThan":{"haven:Approvals":"2"}`:                                              false,
		`"NumericLessThan":{"haven:Approvals":"2.5"}`:                                               true,
		`"NumericLessThanEquals":{"haven:Approvals":1}`:                                             false,
		`"NumericEquals":{"haven:Approvals":[1,2]}`:                                                 true,
		`"NumericNotEquals":{"haven:Approvals":[1,2]}`:                                              false,
		`"DateLessThan":{"aws:CurrentTime":"2026-05-01T12:00:01Z"}`:                                 true,
		`"DateLessThan":{"aws:CurrentTime":"2026-05-01T12:00:00Z"}`:                                 false,
		`"DateLessThanEquals":{"aws:CurrentTime":"2026-05-01T12:00:00Z"}`:                           true,
		`"DateGreaterThan":{"aws:EpochTime":"1700000000"}`:                                          true,
		`"DateGreaterThanEquals":{"aws:CurrentTime":"2027-01-01"}`:                                  false,
		`"DateEquals":{"aws:CurrentTime":"2026-05-01T14:00:00+02:00"}`:                              true,
		`"DateNotEquals":{"aws:CurrentTime":"2026-05-01T14:00:00+02:00"}`:                           false,
		`"Bool":{"aws:SecureTransport":true}`:                                                       true,
		`"Bool":{"aws:SecureTransport":"FALSE"}`:                                                    false,
		`"Bool":{"aws:MultiFactorAuthPresent":"false"}`:                                             false, // missing, as with AWS's long-term keys
		`"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`:                                      true,
		`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`:                                                 true,
		`"IpAddress":{"aws:SourceIp":["10.2.0.0/16","192.0.2.1"]}`:                                  false,
		`"NotIpAddress":{"aws:SourceIp":"10.1.2.3"}`:                                                false,
		`"IpAddress":{"aws:SourceIp":"::/0"}`:                                                       false,
		`"Null":{"aws:MultiFactorAuthPresent":"true"}`:                                              true,
		`"Null":{"aws:username":"true"}`:                                                            false,
		`"Null":{"aws:username":["true","false"]}`:                                                  true,
		`"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"Patient"}`:                        true,
		`"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"ward"}`:                           false,
		`"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["Patient","type"]}`:              true,
		`"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"Patient"}`:                       false,
		`"ForAllValues:StringEquals":{"aws:TagKeys":"x"}`:                                           true, // none
		`"ForAnyValue:StringEquals":{"aws:TagKeys":"x"}`:                                            false,
		`"ForAnyValue:StringNotEquals":{"kms:ResourceAliases":"alias/a"}`:                           true,
		`"ForAllValues:StringNotEquals":{"kms:ResourceAliases":"alias/a"}`:                          false,
		`"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/*"}`:                                true,
		`"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}`:                            false, // nothing calls on behalf here
		`"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"},"Bool":{"aws:SecureTransport":"true"}`:  true,
		`"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"},"Bool":{"aws:SecureTransport":"false"}`: false,
		`"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","aws:username":"doctor"}`:                false,
	} {
		r := nurse(t, compile(t, access.Identity, allow(condition)))
		if got := access.Decide(r).Allowed; got != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
}

// TestRefused: what cannot be honoured is refused when written, and the place is told.
func TestRefused(t *testing.T) {
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	for _, c := range []struct {
		form            access.Form
		document, place string
	}{
		{access.Identity, `{}`, ""},
		{access.Identity, `[]`, ""},
		{access.Identity, `{"Version":"2012-10-17","Statement":[]}`, "/Statement"},
		{access.Identity, `{"Version":"2013-01-01","Statement":[]}`, "/Version"},
		{access.Identity, `{"Statement":{},"Statement":{}}`, "/Statement"},
		{access.Identity, allow("") + "x", ""},
		{access.Identity, statement(`{"Effect":"allow","Action":"*","Resource":"*"}`), "/Statement/0/Effect"},
		{access.Identity, statement(`{"Effect":"Allow","action":"*","Resource":"*"}`), "/Statement/0/action"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"kms:Encyrpt","Resource":"*"}`), "/Statement/0/Action"},
		{access.Identity, statement(`{"Effect":"Allow","Action":["kms:Encrypt","kms:*y*z"],"Resource":"*"}`), "/Statement/0/Action/1"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"k*:Encrypt","Resource":"*"}`), "/Statement/0/Action"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}`), "/Statement/0/NotAction"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"*"}`), "/Statement/0"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"*","Resource":"key/*"}`), "/Statement/0/Resource"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:k*:us-east-1:1:key/x"}`), "/Statement/0/Resource"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:kms:::key/${aws:nobody}"}`), "/Statement/0/Resource"},
		{access.Identity, statement(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:kms:::key/${aws:username"}`), "/Statement/0/Resource"},
		{access.Identity, statement(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`), "/Statement/0/Principal"},
		{access.Resource, statement(`{"Effect":"Allow","Action":"*","Resource":"*"}`), "/Statement/0"},
		{access.Resource, statement(`{"Effect":"Allow","Principal":{"Service":"x"},"Action":"*","Resource":"*"}`), "/Statement/0/Principal/Service"},
		{access.Resource, statement(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/nobody"},"Action":"*","Resource":"*"}`), "/Statement/0/Principal/AWS"},
		{access.Resource, statement(`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:user/*"]},"Action":"*","Resource":"*"}`), "/Statement/0/Principal/AWS/0"},
		{access.Resource, statement(`{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"*","Resource":"*"}`), "/Statement/0/Principal/AWS"},
		{access.Trust, statement(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`), "/Statement/0/Resource"},
		{access.Identity, allow(`"StringIs":{"aws:username":"x"}`), "/Statement/Condition/StringIs"},
		{access.Identity, allow(`"StringEquals":{"aws:nothing":"x"}`), "/Statement/Condition/StringEquals/aws:nothing"},
		{access.Identity, allow(`"StringEquals":{"aws:CurrentTime":"x"}`), "/Statement/Condition/StringEquals/aws:CurrentTime"},
		{access.Identity, allow(`"NumericEquals":{"haven:Approvals":"many"}`), "/Statement/Condition/NumericEquals/haven:Approvals"},
		{access.Identity, allow(`"DateLessThan":{"aws:CurrentTime":["2026-01-01","soon"]}`), "/Statement/Condition/DateLessThan/aws:CurrentTime/1"},
		{access.Identity, allow(`"IpAddress":{"aws:SourceIp":"10.0.0.0/40"}`), "/Statement/Condition/IpAddress/aws:SourceIp"},
		{access.Identity, allow(`"Bool":{"aws:SecureTransport":"maybe"}`), "/Statement/Condition/Bool/aws:SecureTransport"},
		{access.Identity, allow(`"NullIfExists":{"aws:username":"true"}`), "/Statement/Condition/NullIfExists"},
		{access.Identity, allow(`"StringEquals":{"aws:TagKeys":"x"}`), "/Statement/Condition/StringEquals/aws:TagKeys"},
		{access.Identity, allow(`"ForAllValues:StringEquals":{"kms:EncryptionContext:a":"x"}`), "/Statement/Condition/ForAllValues:StringEquals/kms:EncryptionContext:a"},
		{access.Identity, allow(`"StringEquals":{"aws:username":[]}`), "/Statement/Condition/StringEquals/aws:username"},
		{access.Identity, allow(`"StringEquals":{"aws:username":{}}`), "/Statement/Condition/StringEquals/aws:username"},
		{access.Identity, strings.Repeat("[", 100), ""},
		{access.Identity, `"` + strings.Repeat("x", access.MaxDocument) + `"`, ""},
	} {
		_, err := access.Compile([]byte(c.document), c.form, account, people)
		var syntax *access.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.200s: %v", c.document, err)
			continue
		}
		if c.place != "" && strings.ReplaceAll(syntax.Pointer, "~1", "/") != c.place {
			t.Errorf("%.200s: %v, not at %s", c.document, err, c.place)
		}
		if syntax.Line != 1 || syntax.Column < 1 {
			t.Errorf("%.200s: at %d:%d", c.document, syntax.Line, syntax.Column)
		}
	}
}

// TestSources: which of the policies that apply decides.
func TestSources(t *testing.T) {
	one := func(form access.Form, effect, principal string) *access.Policy {
		if principal != "" {
			principal = `"Principal":` + principal + `,`
		}
		return compile(t, form, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,%s"Action":"kms:*","Resource":"*"}}`, effect, principal))
	}
	me, root, all := `{"AWS":"arn:aws:iam::111122223333:user/nurse"}`, `{"AWS":"arn:aws:iam::111122223333:root"}`, `"*"`
	yes, no := one(access.Identity, "Allow", ""), one(access.Identity, "Deny", "")
	other := compile(t, access.Identity, `{"Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}`)
	for _, c := range []struct {
		name     string
		identity []*access.Policy
		boundary *access.Policy
		session  *access.Policy
		key      *access.Policy
		want     bool
	}{
		{"nothing", nil, nil, nil, nil, false},
		{"identity", []*access.Policy{other, yes}, nil, nil, nil, true},
		{"identity and key policy that leaves it to the account", []*access.Policy{yes}, nil, nil, one(access.Resource, "Allow", root), true},
		{"key policy that does not", []*access.Policy{yes}, nil, nil, one(access.Resource, "Allow", `{"AWS":"arn:aws:iam::111122223333:user/doctor"}`), false},
		{"key policy that leaves it, and no identity policy", nil, nil, nil, one(access.Resource, "Allow", root), false},
		{"key policy that names", nil, nil, nil, one(access.Resource, "Allow", me), true},
		{"key policy that names, past a boundary", nil, other, nil, one(access.Resource, "Allow", me), true},
		{"key policy for everyone", nil, nil, nil, one(access.Resource, "Allow", all), true},
		{"key policy for everyone, past a boundary", nil, other, nil, one(access.Resource, "Allow", all), false},
		{"identity past a boundary", []*access.Policy{yes}, other, nil, nil, false},
		{"identity within a boundary", []*access.Policy{yes}, yes, nil, nil, true},
		{"identity past a session policy", []*access.Policy{yes}, nil, other, nil, false},
		{"denied by identity", []*access.Policy{yes, no}, nil, nil, one(access.Resource, "Allow", me), false},
		{"denied by boundary", []*access.Policy{yes}, no, nil, one(access.Resource, "Allow", me), false},
		{"denied by session", []*access.Policy{yes}, nil, no, one(access.Resource, "Allow", me), false},
		{"denied by key", []*access.Policy{yes}, nil, nil, one(access.Resource, "Deny", me), false},
		{"denied to the account", []*access.Policy{yes}, nil, nil, one(access.Resource, "Deny", root), false},
	} {
		r := nurse(t, c.identity...)
		r.Principal.Boundary, r.Principal.Session, r.Object.Policy = c.boundary, c.session, c.key
		if d := access.Decide(r); d.Allowed != c.want {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}

// TestNoAllocation: a decision costs none, whatever it meets on its way.
func TestNoAllocation(t *testing.T) {
	var policies []*access.Policy
	for range 10 {
		policies = append(policies, compile(t, access.Identity, `{"Version":"2012-10-17","Statement":[
			{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
			{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"},
			{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:*:*:key/9*"},
			{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:Patient":"18"}}},
			{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/team":"${aws:PrincipalTag/none, 'camp-4'}"},
				"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2030-01-01"},"NumericGreaterThan":{"haven:Approvals":1}}}]}`))
	}
	r := nurse(t, policies...)
	if n := testing.AllocsPerRun(100, func() { access.Decide(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCompile: any text compiles or is refused with a place within it; what compiles decides without
// a panic, and never allows what it did not before when a Deny of everything is added.
func FuzzCompile(f *testing.F) {
	f.Add([]byte(allow(`"StringLike":{"aws:username":"n${?}*${aws:PrincipalTag/x, 'y'}"}`)), true)
	f.Add([]byte(`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"NotAction":["kms:G*"],"NotResource":"arn:aws:kms:*:*:key/*"}]}`), false)
	nothing := compile(f, access.Identity, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	f.Fuzz(func(t *testing.T, document []byte, identity bool) {
		form := access.Resource
		if identity {
			form = access.Identity
		}
		p, err := access.Compile(document, form, account, people)
		var syntax *access.SyntaxError
		if err != nil {
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Line > 1+strings.Count(string(document), "\n") {
				t.Fatalf("%v", err)
			}
			return
		}
		r := nurse(t)
		if identity {
			r.Principal.Policies = []*access.Policy{p}
		} else {
			r.Object.Policy = p
		}
		access.Decide(r)
		r.Principal.Policies = append(r.Principal.Policies, nothing)
		if access.Decide(r).Allowed {
			t.Fatal("allowed against an explicit Deny")
		}
	})
}
