package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// refusals are what decides about one clerk and one key, changed at random.
type refusals struct {
	place
	*rand.Rand
	clerk gate.ID
	key   *keys.Key
	grant gate.ID
	// Statements in force: of the clerk's own policy, its boundary, and the key's policy. nil is no policy.
	own, boundary, object []string
}

// statements draws what a policy says; to begins each.
func (r *refusals) statements(to string) (out []string) {
	for range 1 + r.IntN(3) {
		effect, condition := "Allow", ""
		if r.IntN(8) == 0 {
			effect = "Deny"
		}
		if r.IntN(3) == 0 {
			condition = []string{`,"Condition":{"StringEquals":{"kms:EncryptionContext:patient":"17"}}`, `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`,
				`,"Condition":{"StringLike":{"aws:PrincipalTag/team":"lab*"}}`}[r.IntN(3)]
		}
		action := []string{"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:Describe*", "kms:GenerateDataKey", "kms:*crypt"}[r.IntN(6)]
		out = append(out, fmt.Sprintf(`{%s"Effect":%q,"Action":%q,"Resource":"*"%s}`, to, effect, action, condition))
	}
	return out
}

func document(statements []string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// draw changes all that decides.
func (r *refusals) draw() {
	r.own = r.statements("")
	r.boundary, r.object = nil, nil
	if r.IntN(3) == 0 {
		r.boundary = r.statements("")
	}
	whole := `"Principal":{"AWS":"000000000000"},`
	switch r.IntN(3) {
	case 0: // leaves everything to the account
		r.object = []string{`{` + whole + `"Effect":"Allow","Action":["kms:*","haven:*"],"Resource":"*"}`}
	case 1: // leaves the account its administration alone
		r.object = append(r.statements(`"Principal":{"AWS":"arn:aws:iam::000000000000:user/clerk"},`),
			`{`+whole+`"Effect":"Allow","Action":["kms:PutKeyPolicy","kms:CreateGrant","kms:RevokeGrant","kms:EnableKey","haven:*"],"Resource":"*"}`)
	}
	r.put()
	if !r.grant.IsZero() {
		_, err := r.KeyManager().RevokeGrant(background, keys.RevokeGrantRequest{Key: r.key.ID, GrantID: r.grant.String()})
		r.must(err)
		r.grant = gate.ID{}
	}
	if r.IntN(4) == 0 {
		made, err := r.KeyManager().CreateGrant(background, keys.CreateGrantRequest{Key: r.key.ID, Grantee: account + "user/clerk", Operations: []string{[]string{"Encrypt", "Decrypt"}[r.IntN(2)]}})
		r.must(err)
		r.grant = made.GrantID
	}
}

// put writes what is in force.
func (r *refusals) put() {
	i := haven{r.Identity()}
	r.must(i.update(identity.PolicyRequest{Policy: "own", Principal: "clerk"}, document(r.own)))
	boundary := r.boundary
	if boundary == nil {
		boundary = []string{`{"Effect":"Allow","Action":"*","Resource":"*"}`}
	}
	r.must(i.update(identity.PolicyRequest{Policy: "boundary"}, document(boundary)))
	object := r.object
	if object == nil { // as a key without one
		object = []string{`{"Principal":{"AWS":"000000000000"},"Effect":"Allow","Action":["kms:*","haven:*"],"Resource":"*"}`}
	}
	_, err := r.KeyManager().PutKeyPolicy(background, keys.PutPolicyRequest{Key: r.key.ID, Document: document(object), Bypass: true})
	r.must(err)
}

// try does something to the key as the clerk.
func (r *refusals) try(how int) error {
	km := r.As(r.clerk).KeyManager()
	var context keys.Context
	if how%2 == 0 {
		var err error
		context, err = keys.ContextOf(map[string]string{"patient": "17"})
		r.must(err)
	}
	var err error
	switch how / 2 {
	case 0:
		_, err = km.Encrypt(background, keys.EncryptRequest{Key: r.key.ID, Plaintext: []byte("x"), Context: context})
	case 1:
		_, err = km.GenerateDataKey(background, keys.DataKeyRequest{Key: r.key.ID, Context: context})
	case 2:
		_, err = km.DescribeKey(background, r.key.ID)
	}
	return err
}

// apply adds what was proposed where it was proposed.
func (r *refusals) apply(p *access.Proposal) {
	for _, at := range p.At {
		switch at {
		case access.ByIdentity:
			r.own = append(r.own, p.Statement)
		case access.ByBoundary:
			r.boundary = append(slices.Clone(r.boundary), p.Statement)
		case access.ByObject:
			r.object = append(slices.Clone(r.object), p.ForObject)
		default:
			r.Fatalf("to be added to %s", at)
		}
	}
	r.put()
}

// TestRefusalsExplained: a refusal by policies, a boundary, the key's policy and grants is explained by its
// decision's id, as it was decided; what is proposed is put where it is proposed, and the same request
// passes; against an explicit Deny nothing is proposed. HAVEN_SEED repeats a run.
func TestRefusalsExplained(t *testing.T) {
	rounds := 200
	if os.Getenv("HAVEN_CI") == "1" {
		rounds = 3000
	}
	seed := rand.Uint64()
	if text := os.Getenv("HAVEN_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HAVEN_SEED=%d", seed)
	r := &refusals{place: newPlace(t), Rand: rand.New(rand.NewPCG(seed, 1))}
	r.clerk = r.person(identity.User, "clerk")
	var err error
	r.key, err = r.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "tried", Type: keys.Data})
	r.must(err)
	i := haven{r.Identity()}
	r.must(i.create("own", statement("Allow", "kms:Encrypt"), "clerk"))
	r.policy("boundary", statement("Allow", "*"))
	r.attach("boundary", "clerk", identity.Boundary)
	allowed, denied, flipped := 0, 0, 0
	for range rounds {
		r.draw()
		how := r.IntN(6)
		var refused *gate.Error
		switch err := r.try(how); {
		case err == nil:
			allowed++
			continue
		case !errors.As(err, &refused) || refused.Code != gate.AccessDenied || refused.Decision.IsZero():
			t.Fatal(err)
		}
		answer, err := r.Identity().ExplainAccess(background, identity.ExplainAccessRequest{Decision: refused.Decision.String()})
		r.must(err)
		e := answer.Explanation
		switch {
		case e.Allowed:
			t.Fatalf("refused, and explained as allowed: %+v", e)
		case e.Explicit:
			if denied++; e.Proposal != nil {
				t.Fatalf("proposed against a Deny: %+v", e.Proposal)
			}
			continue
		case e.Proposal == nil:
			t.Fatalf("nothing is proposed: %+v", e)
		}
		r.apply(e.Proposal)
		if err := r.try(how); err != nil {
			t.Fatalf("as proposed at %v: %v\nown %s\nboundary %s\nkey %s", e.Proposal.At, err, r.own, r.boundary, r.object)
		}
		flipped++
	}
	t.Logf("%d allowed, %d denied explicitly, %d flipped", allowed, denied, flipped)
	if allowed < rounds/20 || denied < rounds/50 || flipped < rounds/10 {
		t.Error("too few of a kind for this to be a test")
	}
}
