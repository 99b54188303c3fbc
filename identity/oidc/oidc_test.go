package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/identity/oidc/oidctest"
)

// now is when these tests verify.
var now = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// trust makes issuers that believe the provider.
func trust(p *oidctest.Provider, adjust ...func(*oidc.Issuer)) *oidc.Issuers {
	p.Helper()
	cfg := oidc.Issuer{URL: p.URL, Audience: "haven", RootCAs: p.Roots()}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := oidc.New([]oidc.Issuer{cfg}, slog.New(slog.DiscardHandler))
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(s.Close)
	return s
}

func accepted(t testing.TB, s *oidc.Issuers, token string, at time.Time) (oidc.Token, bool) {
	t.Helper()
	got, err := s.Verify(t.Context(), []byte(token), at)
	if err != nil && (!errors.Is(err, oidc.ErrRefused) || err.Error() != oidc.ErrRefused.Error()) {
		t.Errorf("an error that tells more: %v", err)
	}
	return got, err == nil
}

// TestVerify: tokens of each algorithm are verified, and say who and how.
func TestVerify(t *testing.T) {
	p := oidctest.New(t, now)
	for i, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA} {
		by := p.Publish(fmt.Sprint("key ", i), algorithm)
		s := trust(p, func(i *oidc.Issuer) { i.Prefix, i.ACR = "oidc-", []string{"gold", "platinum"} })
		got, ok := accepted(t, s, by.Sign(t, p.Claims(map[string]any{"amr": []string{"pwd", "otp"}, "acr": "gold", "aud": []string{"x", "haven"}}), nil), now)
		want := oidc.Token{Name: "oidc-clerk", Issued: now.Add(-time.Minute), Expires: now.Add(time.Hour), Methods: []string{"pwd", "otp"}, Class: "gold", MultiFactor: true}
		if !ok || got.Name != want.Name || !got.Issued.Equal(want.Issued) || !got.Expires.Equal(want.Expires) ||
			!slices.Equal(got.Methods, want.Methods) || got.Class != want.Class || !got.MultiFactor {
			t.Errorf("%s: %+v, %v", algorithm, got, ok)
		}
	}
	for _, methods := range []any{nil, []string{}, []string{"pwd"}, []string{"pwd", "kba", "rba"}} {
		by := p.Publish("", jose.ES256)
		got, ok := accepted(t, trust(p), by.Sign(t, p.Claims(map[string]any{"amr": methods}), nil), now)
		if !ok || got.MultiFactor {
			t.Errorf("amr %v: %+v, %v", methods, got, ok)
		}
	}
}

// TestAttacks: what an issuer did not sign for us, as it is, proves nothing.
func TestAttacks(t *testing.T) {
	p, foreign := oidctest.New(t, now), oidctest.New(t, now)
	rsaKey, ecKey := p.Publish("rsa", jose.RS256), p.Publish("ec", jose.ES256)
	p384 := p.Publish("p384", jose.ES384)
	theirs := foreign.Publish("ec", jose.ES256)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(rsaKey.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	embedded := jose.JSONWebKey{Key: stranger.Public(), KeyID: "ec"}
	fine := p.Claims(nil)
	good := ecKey.Sign(t, fine, nil)
	parts := strings.Split(good, ".")
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	with := func(change map[string]any) string { return ecKey.Sign(t, p.Claims(change), nil) }

	attacks := map[string]string{
		"nothing": "", "dots": "..", "one part": "haven", "a fourth part": good + ".x",
		"algorithm none":                     segment(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
		"algorithm None":                     segment(`{"alg":"None","kid":"ec"}`) + "." + parts[1] + ".",
		"no algorithm":                       segment(`{"kid":"ec"}`) + "." + parts[1] + "." + parts[2],
		"no signature":                       parts[0] + "." + parts[1] + ".",
		"HMAC by the public key":             oidctest.SignWith(t, jose.HS256, der, "rsa", fine, nil),
		"RSASSA-PSS, which we do not":        oidctest.SignWith(t, jose.PS256, rsaKey.Key, "rsa", fine, nil),
		"RS512, which we do not":             oidctest.SignWith(t, jose.RS512, rsaKey.Key, "rsa", fine, nil),
		"ES384, which we do not":             p384.Sign(t, fine, nil),
		"another's key, same name":           theirs.Sign(t, fine, nil),
		"another's token":                    theirs.Sign(t, foreign.Claims(nil), nil),
		"a stranger's key, same name":        oidctest.SignWith(t, jose.ES256, stranger, "ec", fine, nil),
		"a stranger's key, embedded":         oidctest.SignWith(t, jose.ES256, stranger, "", fine, map[jose.HeaderKey]any{"jwk": embedded, "kid": "ec"}),
		"a stranger's key, by address":       oidctest.SignWith(t, jose.ES256, stranger, "", fine, map[jose.HeaderKey]any{"jku": foreign.URL + "/keys", "kid": "ec"}),
		"a kid that is a path":               oidctest.SignWith(t, jose.ES256, stranger, "../../dev/null", fine, nil),
		"a kid of another type":              oidctest.SignWith(t, jose.ES256, stranger, "rsa", fine, nil),
		"a header that must be known":        ecKey.Sign(t, fine, map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}),
		"a logout token":                     ecKey.Sign(t, fine, map[jose.HeaderKey]any{"typ": "logout+jwt"}),
		"a typ that is no string":            ecKey.Sign(t, fine, map[jose.HeaderKey]any{"typ": 1}),
		"claims altered":                     parts[0] + "." + segment(p.Claims(map[string]any{"sub": "administrator"})) + "." + parts[2],
		"signature altered":                  good[:len(good)-4] + "AAAA",
		"signature of another encoding":      good + "=",
		"not JSON":                           ecKey.Sign(t, "clerk", nil),
		"a claim twice":                      ecKey.Sign(t, strings.Replace(fine, `"sub":"clerk"`, `"sub":"clerk","sub":"administrator"`, 1), nil),
		"an audience twice":                  ecKey.Sign(t, strings.Replace(fine, `"aud":"haven"`, `"aud":"other","aud":"haven"`, 1), nil),
		"a claim that does not count, twice": ecKey.Sign(t, strings.Replace(fine, `"sub":`, `"x":{"a":1,"a":2},"sub":`, 1), nil),
		"no audience":                        with(map[string]any{"aud": nil}),
		"another audience":                   with(map[string]any{"aud": "haven2"}),
		"audience in another case":           with(map[string]any{"aud": "Haven"}),
		"several audiences, not ours":        with(map[string]any{"aud": []string{"a", "b"}}),
		"no issuer":                          with(map[string]any{"iss": nil}),
		"another issuer":                     with(map[string]any{"iss": foreign.URL}),
		"issuer with a slash":                with(map[string]any{"iss": p.URL + "/"}),
		"issuer with a prefix":               with(map[string]any{"iss": "x" + p.URL}),
		"over":                               with(map[string]any{"exp": now.Add(-time.Second).Unix()}),
		"at its last moment":                 with(map[string]any{"exp": now.Unix()}),
		"no end":                             with(map[string]any{"exp": nil}),
		"an end that is a text":              with(map[string]any{"exp": "tomorrow"}),
		"not yet":                            with(map[string]any{"nbf": now.Add(oidc.Ahead + time.Second).Unix()}),
		"issued later":                       with(map[string]any{"iat": now.Add(oidc.Ahead + time.Second).Unix()}),
		"never issued":                       with(map[string]any{"iat": nil}),
		"no subject":                         with(map[string]any{"sub": nil}),
		"an empty subject":                   with(map[string]any{"sub": ""}),
		"a subject that is a list":           with(map[string]any{"sub": []string{"clerk"}}),
		"methods that are no list":           with(map[string]any{"amr": "mfa"}),
		"too many methods":                   with(map[string]any{"amr": slices.Repeat([]string{"mfa"}, 17)}),
		"too long":                           with(map[string]any{"x": strings.Repeat("x", oidc.MaxToken)}),
	}
	s := trust(p)
	if _, ok := accepted(t, s, good, now); !ok {
		t.Fatal("the token that all attacks are made of is not valid")
	}
	for what, token := range attacks {
		if got, ok := accepted(t, s, token, now); ok {
			t.Errorf("%s: accepted as %+v", what, got)
		}
	}
	if n := foreign.Times(); n != 0 {
		t.Errorf("an issuer that nobody configured was asked %d times", n)
	}
	if n := p.Times(); n != 1 {
		t.Errorf("asked for keys %d times", n)
	}
}

// TestRequirements: what an issuer's tokens must say beyond being valid.
func TestRequirements(t *testing.T) {
	p := oidctest.New(t, now)
	by := p.Publish("k", jose.ES256)
	ask := func(i func(*oidc.Issuer), change map[string]any) bool {
		_, ok := accepted(t, trust(p, i), by.Sign(t, p.Claims(change), nil), now)
		return ok
	}
	gold := func(i *oidc.Issuer) { i.ACR = []string{"gold"} }
	email := func(i *oidc.Issuer) { i.Claim = "email" }
	for _, c := range []struct {
		what   string
		issuer func(*oidc.Issuer)
		change map[string]any
		want   bool
	}{
		{"acr wanted and there", gold, map[string]any{"acr": "gold"}, true},
		{"acr missing", gold, nil, false},
		{"another acr", gold, map[string]any{"acr": "silver"}, false},
		{"acr of another type", gold, map[string]any{"acr": []string{"gold"}}, false},
		{"a verified address", email, map[string]any{"email": "a@b", "email_verified": true}, true},
		{"an address that was not verified", email, map[string]any{"email": "a@b", "email_verified": false}, false},
		{"an address of which nothing is said", email, map[string]any{"email": "a@b"}, false},
		{"a verification that is a text", email, map[string]any{"email": "a@b", "email_verified": "true"}, false},
		{"no address", email, map[string]any{"email_verified": true}, false},
	} {
		if got := ask(c.issuer, c.change); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// TestEnds: a token that was remembered ends when its time is over.
func TestEnds(t *testing.T) {
	p := oidctest.New(t, now)
	by := p.Publish("k", jose.ES256)
	s, token := trust(p), ""
	token = by.Sign(t, p.Claims(map[string]any{"exp": now.Add(time.Minute).Unix()}), nil)
	for after, want := range map[time.Duration]bool{0: true, time.Minute - 1: true} {
		if _, ok := accepted(t, s, token, now.Add(after)); ok != want {
			t.Errorf("after %v: %v", after, ok)
		}
	}
	if _, ok := accepted(t, s, token, now.Add(time.Minute)); ok {
		t.Error("at its end")
	}
}

// TestRotation: a key that the issuer begins to use is fetched when it is met, not more than once a
// minute; one that it took back ends when the keys are fetched again.
func TestRotation(t *testing.T) {
	p := oidctest.New(t, now)
	first := p.Publish("first", jose.ES256)
	s, at := trust(p), now
	old := first.Sign(t, p.Claims(nil), nil)
	if _, ok := accepted(t, s, old, at); !ok {
		t.Fatal("the first key")
	}
	second := p.Publish("second", jose.ES256)
	token := second.Sign(t, p.Claims(nil), nil)
	if _, ok := accepted(t, s, token, at); ok || p.Times() != 1 {
		t.Errorf("within a minute of the last fetch: %v, asked %d times", ok, p.Times())
	}
	at = at.Add(oidc.FetchEvery)
	p.Set(func() { p.Keys = p.Keys[1:] })
	if _, ok := accepted(t, s, token, at); !ok || p.Times() != 2 {
		t.Errorf("a minute later: %v, asked %d times", ok, p.Times())
	}
	if _, ok := accepted(t, s, old, at); ok {
		t.Error("a token that was remembered, of a key that the issuer took back")
	}
	for i := range 100 {
		unknown := oidctest.Signer{KeyID: fmt.Sprint("unknown ", i), Algorithm: jose.ES256, Key: first.Key}
		if _, ok := accepted(t, s, unknown.Sign(t, p.Claims(nil), nil), at); ok {
			t.Error("an unknown key")
		}
	}
	at = at.Add(oidc.FetchEvery)
	for range 2 {
		if _, ok := accepted(t, s, oidctest.SignWith(t, jose.ES256, first.Key, "second", p.Claims(nil), nil), at); ok {
			t.Error("a known key's name, and another key")
		}
	}
	if p.Times() != 2 {
		t.Errorf("strangers made us ask %d times", p.Times()-2)
	}
}

// TestIssuerDown: keys that are known go on working for a day, then nothing does; when the issuer
// answers again, so do we.
func TestIssuerDown(t *testing.T) {
	p := oidctest.New(t, now)
	by := p.Publish("k", jose.ES256)
	s := trust(p)
	token := func(at time.Time) string {
		return by.Sign(t, p.Claims(map[string]any{"iat": at.Unix(), "exp": at.Add(time.Hour).Unix()}), nil)
	}
	p.Set(func() { p.Down = true })
	if _, ok := accepted(t, s, token(now), now); ok || s.Failing() != 1 {
		t.Errorf("down from the start: %v, %d failing", ok, s.Failing())
	}
	p.Set(func() { p.Down = false })
	at := now.Add(oidc.FetchEvery)
	if _, ok := accepted(t, s, token(at), at); !ok || s.Failing() != 0 {
		t.Fatalf("it answers: %v, %d failing", ok, s.Failing())
	}
	p.Set(func() { p.Down = true })
	for _, after := range []time.Duration{oidc.FreshFor, oidc.UsableFor - time.Minute, oidc.UsableFor - 1} {
		if _, ok := accepted(t, s, token(at.Add(after)), at.Add(after)); !ok {
			t.Errorf("down for %v", after)
		}
	}
	late := at.Add(oidc.UsableFor)
	if _, ok := accepted(t, s, token(late), late); ok || s.Failing() != 1 {
		t.Errorf("down for a day: %v, %d failing", ok, s.Failing())
	}
	p.Set(func() { p.Down = false })
	late = late.Add(oidc.FetchEvery)
	if _, ok := accepted(t, s, token(late), late); !ok || s.Failing() != 0 {
		t.Errorf("it answers again: %v, %d failing", ok, s.Failing())
	}
}

// TestLesson01NothingFetchedThatACallerShaped: what is asked is what the operator wrote, and what the
// issuer says there; nothing is followed anywhere else, and nothing long is read.
func TestLesson01NothingFetchedThatACallerShaped(t *testing.T) {
	other := oidctest.New(t, now)
	by := other.Publish("k", jose.ES256)
	plain := httptest.NewServer(other) // the right keys, for whoever asks without TLS
	t.Cleanup(plain.Close)
	for what, change := range map[string]func(*oidctest.Provider){
		"keys without TLS":         func(p *oidctest.Provider) { p.KeysURL = plain.URL + "/keys" },
		"keys in a file":           func(p *oidctest.Provider) { p.KeysURL = "file:///etc/keys" },
		"no keys":                  func(p *oidctest.Provider) { p.KeysURL = "" },
		"the document of another":  func(p *oidctest.Provider) { p.Issuer = other.URL },
		"issuer but for a slash":   func(p *oidctest.Provider) { p.Issuer += "/" },
		"a redirect to other keys": func(p *oidctest.Provider) { p.Answer = redirect("/keys", other.URL+"/keys") },
		"a redirect of the document": func(p *oidctest.Provider) {
			p.Answer = redirect("/.well-known/openid-configuration", other.URL+"/.well-known/openid-configuration")
		},
		"a document without end": func(p *oidctest.Provider) { p.Answer = endless },
		"no JSON": func(p *oidctest.Provider) {
			p.Answer = func(w http.ResponseWriter, _ *http.Request) bool { w.Write([]byte("keys")); return true }
		},
		"keys twice": func(p *oidctest.Provider) {
			p.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				return r.URL.Path == "/keys" && write(w, `{"keys":[],"keys":[]}`)
			}
		},
	} {
		p := oidctest.New(t, now)
		change(p)
		p.Set(func() { p.Keys = other.Keys })
		before := other.Times()
		if _, ok := accepted(t, trust(p), by.Sign(t, p.Claims(nil), nil), now); ok {
			t.Errorf("%s: accepted", what)
		}
		if other.Times() != before {
			t.Errorf("%s: another was asked", what)
		}
	}
}

func redirect(from, to string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == from {
			http.Redirect(w, r, to, http.StatusFound)
		}
		return r.URL.Path == from
	}
}

func endless(w http.ResponseWriter, _ *http.Request) bool {
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return true
		}
	}
}

func write(w http.ResponseWriter, s string) bool {
	w.Write([]byte(s))
	return true
}

// TestConfiguration: what would believe too much is refused.
func TestConfiguration(t *testing.T) {
	fine := oidc.Issuer{URL: "https://a.example", Audience: "haven"}
	other := oidc.Issuer{URL: "https://b.example", Audience: "haven", Prefix: "b-"}
	third := oidc.Issuer{URL: "https://c.example", Audience: "haven", Prefix: "c-"}
	for _, c := range []struct {
		what string
		list []oidc.Issuer
		ok   bool
	}{
		{"none", nil, true}, {"one", []oidc.Issuer{fine}, true}, {"two with prefixes", []oidc.Issuer{other, third}, true},
		{"two, one of them without a prefix", []oidc.Issuer{fine, other}, false},
		{"a prefix that begins with another's", []oidc.Issuer{other, {URL: "https://c.example", Audience: "x", Prefix: "b-c-"}}, false},
		{"twice", []oidc.Issuer{other, {URL: other.URL, Audience: "x", Prefix: "c-"}}, false},
		{"no audience", []oidc.Issuer{{URL: fine.URL}}, false},
		{"no URL", []oidc.Issuer{{Audience: "haven"}}, false},
		{"no TLS", []oidc.Issuer{{URL: "http://a.example", Audience: "haven"}}, false},
		{"a query", []oidc.Issuer{{URL: "https://a.example?x=1", Audience: "haven"}}, false},
		{"a password", []oidc.Issuer{{URL: "https://u:p@a.example", Audience: "haven"}}, false},
	} {
		if _, err := oidc.New(c.list, slog.New(slog.DiscardHandler)); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// FuzzVerify: nothing but what the issuer signed is accepted.
func FuzzVerify(f *testing.F) {
	p := oidctest.New(f, now)
	by := p.Publish("k", jose.ES256)
	s := trust(p)
	good := by.Sign(f, p.Claims(nil), nil)
	f.Add(good)
	f.Add(by.Sign(f, p.Claims(map[string]any{"aud": "other"}), nil))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := s.Verify(t.Context(), []byte(token), now); err == nil && token != good {
			t.Errorf("accepted: %q", token)
		}
	})
}
