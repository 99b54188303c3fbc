package access_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/access"
)

// reproduced decides by what an explanation says and nothing else.
func reproduced(e *access.Explanation) (allowed, explicit bool) {
	met := map[access.Source]bool{}
	restricted := map[access.Source]bool{}
	named := access.NotNamed
	for _, p := range e.Policies {
		restricted[p.Source] = true
		for _, s := range p.Statements {
			switch {
			case !s.Matched:
			case s.Deny:
				return false, true
			default:
				met[p.Source] = true
				if p.Source == access.ByObject {
					named = max(named, s.Named)
				}
			}
		}
	}
	within := (met[access.ByBoundary] || !restricted[access.ByBoundary]) && (met[access.BySession] || !restricted[access.BySession])
	for _, g := range e.Grants {
		if g.Matched && (g.Own || within) {
			return true, false
		}
	}
	switch {
	case named == access.AsCaller, named == access.AsRole && within:
		return true, false
	case restricted[access.ByObject] && named != access.AsAccount:
		return false, false
	}
	return within && (e.Root || met[access.ByIdentity]), false
}

// follow adds what a proposal says, but at one place.
func follow(w *setting, p *access.Proposal, but access.Source) *setting {
	return w.with(func(w *setting) {
		for _, at := range p.At {
			if at == but {
				continue
			}
			switch at {
			case access.ByIdentity:
				w.identity = append(w.identity, `{"Version":"2012-10-17","Statement":`+p.Statement+`}`)
			case access.ByBoundary:
				w.boundary = and(w.boundary, p.Statement)
			case access.BySession:
				w.session = and(w.session, p.Statement)
			case access.ByObject:
				w.key = and(w.key, p.ForObject)
			}
		}
	})
}

// TestExplainEveryDecision: of random requests, the explanation alone gives the same decision; what
// is proposed for a refusal, really added and compiled, allows it, and nothing of it can be left out;
// nothing is proposed against an explicit Deny.
func TestExplainEveryDecision(t *testing.T) {
	d := seeded(t)
	n, refused, proposals := cases(t, 2_000, 100_000), 0, 0
	for refused < n {
		w := d.setting()
		for range questionsEach {
			q := d.question()
			decision := access.Decide(q.request(t, w))
			e := access.Explain(q.request(t, w))
			if allowed, explicit := reproduced(&e); allowed != decision.Allowed || explicit != decision.Explicit || e.Allowed != allowed || e.Explicit != explicit {
				t.Fatalf("%+v, but its explanation says allowed=%v explicit=%v\n%s\n%+v", decision, allowed, explicit, w, e)
			}
			if decision.Allowed {
				if e.Proposal != nil || e.Nearest != nil {
					t.Fatalf("a proposal for what is allowed")
				}
				continue
			}
			refused++
			if decision.Explicit {
				if e.Proposal != nil {
					t.Fatalf("a proposal against an explicit Deny: %+v", e.Proposal)
				}
				continue
			}
			if e.Proposal == nil || len(e.Proposal.At) == 0 {
				t.Fatalf("nothing proposed\n%s\n%+v", w, e)
			}
			if !access.Decide(q.request(t, follow(w, e.Proposal, access.Nowhere))).Allowed {
				t.Fatalf("%+v does not flip it\n%s\nasked %s by %s", e.Proposal, w, q.action, q.who.arn)
			}
			for _, place := range e.Proposal.At {
				if access.Decide(q.request(t, follow(w, e.Proposal, place))).Allowed {
					t.Fatalf("%+v needs no %v\n%s\nasked %s by %s", e.Proposal, place, w, q.action, q.who.arn)
				}
			}
			checkNearest(t, &e)
			proposals++
		}
	}
	t.Logf("%d refusals explained, %d proposals allow what was refused", refused, proposals)
	if proposals == 0 {
		t.Error("nothing was ever proposed")
	}
}

// checkNearest: the nearest miss is an Allow that has the action and did not match; no other came
// further.
func checkNearest(t *testing.T, e *access.Explanation) {
	order := []access.Element{access.InPrincipal, access.InResource, access.InCondition}
	best := -1
	for _, p := range e.Policies {
		for _, s := range p.Statements {
			if s.Matched != (s.Failed == "") || (s.Failed == access.InCondition) != (s.Condition != nil) {
				t.Fatalf("%+v", s)
			}
			if !s.Deny && !s.Matched {
				best = max(best, slices.Index(order, s.Failed))
			}
		}
	}
	if e.Nearest == nil {
		if best >= 0 {
			t.Fatalf("no nearest miss: %+v", e)
		}
		return
	}
	if s := e.Policies[e.Nearest.Policy].Statements[e.Nearest.Statement]; s.Deny || s.Matched || slices.Index(order, s.Failed) != best {
		t.Fatalf("%+v is not the nearest", s)
	}
}

// TestExplain: what an explanation tells of each way to be refused.
func TestExplain(t *testing.T) {
	one := func(rest string) *access.Policy {
		p := compile(t, access.Identity, `{"Version":"2012-10-17","Statement":{"Sid":"one","Effect":"Allow",`+rest+`}}`)
		p.Name = "policy/clinic"
		return p
	}
	for _, c := range []struct {
		rest string
		want access.StatementFinding
	}{
		{`"Action":"kms:Encrypt","Resource":"*"`, access.StatementFinding{Failed: access.InAction}},
		{`"Action":"kms:*","Resource":"arn:aws:kms:*:*:key/9*"`, access.StatementFinding{Failed: access.InResource}},
		{`"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:ward":["3","4"]}}`, access.StatementFinding{Failed: access.InCondition,
			Condition: &access.ConditionFinding{Operator: "StringEquals", Key: "kms:EncryptionContext:ward", Wanted: []string{"3", "4"}}}},
		{`"Action":"kms:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, access.StatementFinding{Failed: access.InCondition,
			Condition: &access.ConditionFinding{Operator: "IpAddress", Key: "aws:SourceIp", Wanted: []string{"192.0.2.0/24"}, Present: true, Got: []string{"10.1.2.3"}}}},
		{`"Action":"kms:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01"}}`, access.StatementFinding{Failed: access.InCondition,
			Condition: &access.ConditionFinding{Operator: "DateGreaterThan", Key: "aws:CurrentTime", Wanted: []string{"2027-01-01"}, Present: true, Got: []string{"2026-05-01T12:00:00Z"}}}},
		{`"Action":"kms:*","Resource":"*","Condition":{"ForAnyValue:StringLikeIfExists":{"KMS:resourcealiases":"alias/x*"}}`, access.StatementFinding{Failed: access.InCondition,
			Condition: &access.ConditionFinding{Operator: "ForAnyValue:StringLikeIfExists", Key: "kms:ResourceAliases", Wanted: []string{"alias/x*"}, Present: true, Got: []string{"alias/a", "alias/b"}}}},
	} {
		c.want.Sid, c.want.Named = "one", access.AsCaller
		e := access.Explain(nurse(t, one(c.rest)))
		got, _ := json.Marshal(e.Policies[0].Statements[0])
		want, _ := json.Marshal(c.want)
		if string(got) != string(want) || e.Policies[0].Name != "policy/clinic" {
			t.Errorf("%s:\n%s, not\n%s", c.rest, got, want)
		}
		if want := `{"Effect":"Allow","Action":"kms:Decrypt","Resource":"` + keyARN + `"}`; e.Proposal.Statement != want || !slices.Equal(e.Proposal.At, []access.Source{access.ByIdentity}) {
			t.Errorf("proposed %+v", e.Proposal)
		}
	}
	r := nurse(t)
	r.Object.Policy = compile(t, access.Resource, `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/doctor"},"Action":"kms:*","Resource":"*"}}`)
	e := access.Explain(r)
	if want := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/nurse"},"Action":"kms:Decrypt","Resource":"` + keyARN + `"}`; e.Proposal.ForObject != want {
		t.Errorf("proposed %+v", e.Proposal)
	}
	if s := e.Policies[e.Nearest.Policy].Statements[e.Nearest.Statement]; s.Failed != access.InPrincipal {
		t.Errorf("%+v", s)
	}
}

// TestExplanationAudiences: whoever may not explain learns no policy, and a stranger nothing at all.
func TestExplanationAudiences(t *testing.T) {
	d := seeded(t)
	for range 200 {
		w, q := d.setting(), d.question()
		e := access.Explain(q.request(t, w))
		own, err := json.Marshal(e.For(access.TheCaller))
		if err != nil {
			t.Fatal(err)
		}
		if c := e.For(access.TheCaller); c.Allowed != e.Allowed || c.Explicit != e.Explicit {
			t.Errorf("%+v", c)
		}
		for _, secret := range []string{"polic", "statement", "grant", "Effect", "decided_by", "nearest"} {
			if strings.Contains(string(own), secret) {
				t.Errorf("the caller learns %s", own)
			}
		}
		nothing, err := json.Marshal(e.For(access.Strangers))
		if err != nil || string(nothing) != `{"allowed":false,"explicit_deny":false}` {
			t.Errorf("a stranger learns %s, %v", nothing, err)
		}
	}
}
