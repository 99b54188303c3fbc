package identity_test

import (
	"errors"
	"testing"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// TestExplainRefusal: a past refusal is told whole to who may explain access to the key, with the
// policies of then; to who was refused only whether a Deny or a missing Allow; to others nothing,
// whether there was such a decision or not.
func TestExplainRefusal(t *testing.T) {
	p := newPlace(t)
	key, err := p.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "notes", Type: "data"})
	p.must(err)
	nurse, other, auditor := p.person(identity.User, "nurse"), p.person(identity.User, "other"), p.person(identity.User, "auditor")
	p.policy("describes", statement("Allow", "kms:DescribeKey"))
	p.policy("denies", statement("Deny", "kms:Encrypt"))
	p.policy("explains", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"haven:ExplainAccess","Resource":"`+key.ARN+`"}]}`)
	p.attach("describes", "nurse", identity.Own)
	p.attach("denies", "nurse", identity.Own)
	p.attach("explains", "auditor", identity.Own)

	decision := func(err error) string {
		t.Helper()
		var e *gate.Error
		if !errors.As(err, &e) || e.Code != gate.AccessDenied {
			t.Fatalf("%v", err)
		}
		return e.Decision.String()
	}
	_, err = p.As(nurse).KeyManager().Encrypt(background, keys.EncryptRequest{Key: key.ID, Plaintext: []byte("x")})
	denied := decision(err)
	_, err = p.As(nurse).KeyManager().EnableKey(background, key.ID)
	missing := decision(err)
	p.policy("later", statement("Allow", "kms:*"))
	p.attach("later", "nurse", identity.Own)

	for _, c := range []struct {
		who      gate.ID
		decision string
		want     gate.Code
		whole    bool
		explicit bool
	}{
		{auditor, denied, 0, true, true},
		{auditor, missing, 0, true, false},
		{nurse, denied, 0, false, true},
		{nurse, missing, 0, false, false},
		{other, denied, gate.AccessDenied, false, false},
		{other, "00000000-0000-7000-8000-000000000000", gate.AccessDenied, false, false},
		{auditor, "00000000-0000-7000-8000-000000000000", gate.AccessDenied, false, false},
	} {
		answer, err := p.As(c.who).Identity().ExplainAccess(background, identity.ExplainAccessRequest{Decision: c.decision})
		if c.want != 0 {
			p.refused(c.decision, c.want, err)
			continue
		}
		p.must(err)
		e := answer.Explanation
		if e.Allowed || e.Explicit != c.explicit || (len(e.Policies) == 2) != c.whole || (len(e.Policies) == 0) == c.whole {
			t.Errorf("%+v: %+v", c, e)
		}
		if c.whole && !c.explicit && (e.Proposal == nil || e.Policies[0].Name != "describes" || e.Policies[0].Statements[0].Failed != access.InAction) {
			t.Errorf("%+v", e)
		}
	}
	_, err = p.Identity().ExplainAccess(background, identity.ExplainAccessRequest{Decision: "00000000-0000-7000-8000-000000000000"})
	p.refused("no such decision", gate.NotFound, err)
	_, err = p.Identity().ExplainAccess(background, identity.ExplainAccessRequest{Decision: denied, Principal: "nurse"})
	p.refused("both", gate.InvalidRequest, err)
}

// TestExplainHypothetical: how a request would be decided, with what a policy may ask of it.
func TestExplainHypothetical(t *testing.T) {
	p := newPlace(t)
	key, err := p.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "notes", Type: "data"})
	p.must(err)
	p.person(identity.User, "nurse")
	p.policy("patient", `{"Version":"2012-10-17","Statement":[{"Sid":"Patients","Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{
		"StringEquals":{"kms:EncryptionContext:patient":"17","kms:EncryptionAlgorithm":"A256GCM"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"DateLessThan":{"aws:CurrentTime":"2090-01-01"}}}]}`)
	p.attach("patient", "nurse", identity.Own)
	whole := identity.ExplainAccessRequest{Principal: "nurse", Action: "decrypt", Key: key.ID, Context: map[string]string{"patient": "17"}, SourceIP: "192.0.2.9",
		Conditions: map[string][]string{"kms:EncryptionAlgorithm": {"A256GCM"}}}
	for name, c := range map[string]struct {
		change func(*identity.ExplainAccessRequest)
		failed string
	}{
		"":            {func(*identity.ExplainAccessRequest) {}, ""},
		"context":     {func(r *identity.ExplainAccessRequest) { r.Context = map[string]string{"patient": "18"} }, "kms:EncryptionContext:patient"},
		"address":     {func(r *identity.ExplainAccessRequest) { r.SourceIP = "198.51.100.1" }, "aws:SourceIp"},
		"no address":  {func(r *identity.ExplainAccessRequest) { r.SourceIP = "" }, "aws:SourceIp"},
		"condition":   {func(r *identity.ExplainAccessRequest) { r.Conditions = nil }, "kms:EncryptionAlgorithm"},
		"much later":  {func(r *identity.ExplainAccessRequest) { r.Time = r.Time.AddDate(2100, 0, 0) }, "aws:CurrentTime"},
		"not decrypt": {func(r *identity.ExplainAccessRequest) { r.Action = "kms:Encrypt" }, "action"},
	} {
		req := whole
		c.change(&req)
		answer, err := p.Identity().ExplainAccess(background, req)
		p.must(err)
		s := answer.Explanation.Policies[0].Statements[0]
		got := string(s.Failed)
		if s.Condition != nil {
			got = s.Condition.Key
		}
		if got != c.failed || answer.Explanation.Allowed != (c.failed == "") {
			t.Errorf("%s: failed %q: %+v", name, got, answer.Explanation)
		}
	}
	for _, change := range []func(*identity.ExplainAccessRequest){
		func(r *identity.ExplainAccessRequest) { r.Principal = "a/b" },
		func(r *identity.ExplainAccessRequest) { r.Action = "kms:Decript" },
		func(r *identity.ExplainAccessRequest) { r.SourceIP = "192.0.2.0/24" },
		func(r *identity.ExplainAccessRequest) { r.Conditions = map[string][]string{"kms:Nothing": {"x"}} },
	} {
		req := whole
		change(&req)
		_, err := p.Identity().ExplainAccess(background, req)
		p.refused("malformed", gate.InvalidRequest, err)
	}
}
