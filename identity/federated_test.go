package identity_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	system "github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/identity/oidc/oidctest"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// federation is a system that believes an issuer.
type federation struct {
	*gatetest.World
	*oidctest.Provider
	by oidctest.Signer
}

func federate(t *testing.T, adjust ...func(*oidc.Issuer)) *federation {
	t.Helper()
	f := &federation{Provider: oidctest.New(t, gatetest.Start)}
	f.by = f.Publish("k", jose.ES256)
	cfg := oidc.Issuer{URL: f.URL, Audience: "haven", RootCAs: f.Roots()}
	for _, change := range adjust {
		change(&cfg)
	}
	f.World = gatetest.New(t, func(c *system.Config) { c.Issuers = []oidc.Issuer{cfg} })
	return f
}

// begin proves by a token with these claims.
func (f *federation) begin(claims map[string]any) (gate.Principal, error) {
	return begin(f.World, secret.New([]byte(f.by.Sign(f.World, f.Claims(claims), nil))))
}

// TestFederated: a token of an issuer is the user or service it names, as it says of how it was
// proven; what nobody has as a name, and the account's own administrator, it does not prove.
func TestFederated(t *testing.T) {
	f := federate(t)
	clerk, _ := f.Principal("clerk", false)
	got, err := f.begin(map[string]any{"amr": []string{"hwk", "pin"}, "acr": "phrh"})
	if err != nil || got.ID != clerk || got.Name != "clerk" {
		t.Fatalf("%+v, %v", got, err)
	}
	if a := got.Access; !a.MultiFactor || !a.Temporary || a.AuthContextClass != "phrh" || !slices.Equal(a.AuthMethods, []string{"hwk", "pin"}) ||
		!a.Issued.Equal(gatetest.Start.Add(-time.Minute)) {
		t.Errorf("proven as %+v", a)
	}
	if local, err := f.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Local: clerk}); err != nil || local.Principal().Access.Temporary || local.Principal().Access.MultiFactor {
		t.Errorf("what one token says is said of every call: %+v, %v", local.Principal().Access, err)
	}
	for _, name := range []string{"administrator", "nobody", "user/clerk", "role/clerk", "Clerk", " clerk", "clerk\x00", "arn:aws:iam::000000000000:user/clerk", strings.Repeat("x", 300)} {
		if got, err := f.begin(map[string]any{"sub": name}); !errors.Is(err, gate.Unauthenticated) || err.Error() != unauthenticated(t, f) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
}

// TestFederatedConditions: policies ask how a caller was proven, and get what the token says.
func TestFederatedConditions(t *testing.T) {
	f := federate(t)
	p := place{f.World}
	p.person(identity.User, "clerk")
	strong, weak := map[string]any{"amr": []string{"pwd", "otp"}, "acr": "gold"}, map[string]any{"amr": []string{"pwd"}, "acr": "bronze"}
	for i, c := range []struct {
		condition     string
		passes, fails map[string]any
	}{
		{`"Bool":{"aws:MultiFactorAuthPresent":"true"}`, strong, weak},
		{`"ForAnyValue:StringEquals":{"haven:amr":"otp"}`, strong, weak},
		{`"StringEquals":{"haven:acr":["gold","silver"]}`, strong, weak},
		{`"DateGreaterThan":{"aws:TokenIssueTime":"` + gatetest.Start.Add(-2*time.Minute).Format(time.RFC3339) + `"}`, strong,
			map[string]any{"iat": gatetest.Start.Add(-10 * time.Minute).Unix()}},
	} {
		own := identity.PolicyRequest{Policy: fmt.Sprint("own", i), Principal: "clerk"}
		document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:GenerateRandom","Resource":"*","Condition":{%s}}]}`, c.condition)
		p.must(haven{p.Identity()}.create(own.Policy, document, "clerk"))
		if err := f.random(c.passes); err != nil {
			t.Errorf("%s: %v", c.condition, err)
		}
		if err := f.random(c.fails); !errors.Is(err, gate.AccessDenied) {
			t.Errorf("%s, where it does not hold: %v", c.condition, err)
		}
		p.must(haven{p.Identity()}.remove(own))
	}
}

// random gets random bytes by a token with these claims.
func (f *federation) random(claims map[string]any) error {
	token := secret.New([]byte(f.by.Sign(f.World, f.Claims(claims), nil)))
	c, err := f.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Bearer: token})
	if err != nil {
		return err
	}
	return f.Gate().Do(background, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{}, nil })
}

// unauthenticated is what a token that does not exist is answered with.
func unauthenticated(t *testing.T, f *federation) string {
	t.Helper()
	_, err := begin(f.World, secret.New([]byte(identity.TokenPrefix)))
	if !errors.Is(err, gate.Unauthenticated) {
		t.Fatal(err)
	}
	return err.Error()
}

// TestLesson02PrincipalsAreOfOneIssuerAndAccount: the same name from another issuer, or with another
// account in it, is not the same principal.
func TestLesson02PrincipalsAreOfOneIssuerAndAccount(t *testing.T) {
	first, second := oidctest.New(t, gatetest.Start), oidctest.New(t, gatetest.Start)
	w := gatetest.New(t, func(c *system.Config) {
		c.Account = "111122223333"
		c.Issuers = []oidc.Issuer{
			{URL: first.URL, Audience: "haven", Prefix: "a-", RootCAs: first.Roots()},
			{URL: second.URL, Audience: "haven", Prefix: "b-", RootCAs: second.Roots()},
		}
	})
	one, _ := w.Principal("a-clerk", false)
	two, _ := w.Principal("b-clerk", false)
	w.Principal("clerk", false)
	for p, want := range map[*oidctest.Provider]gate.ID{first: one, second: two} {
		by := p.Publish("k", jose.EdDSA)
		got, err := begin(w, secret.New([]byte(by.Sign(t, p.Claims(nil), nil))))
		if err != nil || got.ID != want || !strings.HasPrefix(got.ARN, "arn:aws:iam::111122223333:user/") {
			t.Errorf("%+v, %v; want %v", got, err, want)
		}
		for _, name := range []string{"arn:aws:iam::111122223333:user/a-clerk", "arn:aws:iam::444455556666:user/a-clerk", "/a-clerk"} {
			if got, err := begin(w, secret.New([]byte(by.Sign(t, p.Claims(map[string]any{"sub": name}), nil)))); err == nil {
				t.Errorf("%q is %+v", name, got)
			}
		}
	}
}

// TestFederatedIsRevoked: a principal that is disabled, or whose name another has, is not proven by a
// token that is still valid and remembered.
func TestFederatedIsRevoked(t *testing.T) {
	f := federate(t)
	clerk, _ := f.Principal("clerk", false)
	proves := func(want gate.ID) {
		t.Helper()
		if got, err := f.begin(nil); got.ID != want || want.IsZero() != errors.Is(err, gate.Unauthenticated) {
			t.Errorf("proves %v, %v; want %v", got.ID, err, want)
		}
	}
	proves(clerk)
	item := stored(f.World, store.Ref{Kind: store.KindPrincipal, ID: string(clerk[:])})
	disabled := gate.Change{Ref: item.Ref, Index: item.Index, Before: item, Body: bytes.Replace(item.Body, []byte(`"kind"`), []byte(`"disabled":true,"kind"`), 1)}
	f.Stage(disabled)
	proves(gate.ID{})
	name := stored(f.World, store.Ref{Kind: store.KindName, ID: "user/clerk"})
	f.Stage(gate.Change{Ref: name.Ref, Before: name, Delete: true})
	proves(gate.ID{})
	again, _ := f.Principal("clerk", false)
	proves(again)
	f.Reopen()
	proves(again)
}

// TestFederatedAndCertificate: a token of an issuer agrees with a certificate as any other does.
func TestFederatedAndCertificate(t *testing.T) {
	f := federate(t)
	clerk, _ := f.Principal("clerk", false)
	other, _ := f.Principal("other", false)
	f.Stage(credential(f.World, "client-certificate", shown("clerk").Fingerprint, clerk))
	f.Stage(credential(f.World, "client-certificate", shown("other").Fingerprint, other))
	token := secret.New([]byte(f.by.Sign(t, f.Claims(nil), nil)))
	for name, want := range map[string]gate.ID{"clerk": clerk, "other": {}, "nobody's": clerk} {
		call, err := f.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Bearer: token, Certificate: shown(name)})
		if got := call.Principal().ID; got != want || (err == nil) == want.IsZero() {
			t.Errorf("with %s certificate: %v, %v", name, got, err)
		}
	}
}

// TestFederatedNeedsAnIssuer: where none is configured, a token of one is as any text that is none.
func TestFederatedNeedsAnIssuer(t *testing.T) {
	f := federate(t)
	f.Principal("clerk", false)
	w := gatetest.New(t)
	w.Principal("clerk", false)
	if got, err := begin(w, secret.New([]byte(f.by.Sign(t, f.Claims(nil), nil)))); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := system.Open(background, system.Config{Store: w.Store, Seals: gatetest.Seals(), Issuers: []oidc.Issuer{{URL: "https://a.example"}}}); err == nil || !strings.Contains(fmt.Sprint(err), "audience") {
		t.Errorf("an issuer without an audience: %v", err)
	}
}
