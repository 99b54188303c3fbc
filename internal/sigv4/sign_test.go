package sigv4_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// TestSign: what AWS's own signer signed is signed by us with the same signature. HAVEN_SEED of TestSDK
// draws other requests; these are always the same.
func TestSign(t *testing.T) {
	d := draw{rand.New(rand.NewPCG(1, 0))}
	for range 500 {
		want := d.request(t)
		r := read(received(t, want.request))
		claims, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		header := map[string][]string{}
		for name, values := range r.Header {
			if slices.Contains(claims.SignedHeaders, strings.ToLower(name)) {
				header[name] = values
			}
		}
		r.Header = header
		key, err := sigv4.Derive(secret.New([]byte(published.secret)), claims.Scope)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sigv4.Sign(r, []byte(want.body), claims.AccessKeyID, key)
		if err != nil || got != format(claims) {
			t.Fatalf("%s, %v\nwant %s", got, err, format(claims))
		}
	}
}

// TestSignRefuses: what could not be verified is not signed.
func TestSignRefuses(t *testing.T) {
	m := decrypt(t)
	key := derive(t, published.secret, sigv4.Scope{Date: "20261123", Region: "us-east-1", Service: "kms"})
	for what, change := range map[string]func(*sigv4.Request){
		"no time":            func(r *sigv4.Request) { delete(r.Header, "X-Amz-Date") },
		"another day":        func(r *sigv4.Request) { r.Header["X-Amz-Date"] = []string{"20261122T000000Z"} },
		"a header twice":     func(r *sigv4.Request) { r.Header["X-Amz-Target"] = []string{"a", "b"} },
		"a parameter twice":  func(r *sigv4.Request) { r.Target = "/?a=1&A=2" },
		"no host":            func(r *sigv4.Request) { r.Host = "" },
		"a line in a header": func(r *sigv4.Request) { r.Header["X-Amz-Target"] = []string{"a\nb"} },
	} {
		r := m.request()
		delete(r.Header, "Authorization")
		r.Header["X-Amz-Date"] = []string{"20261123T000000Z"}
		if _, err := sigv4.Sign(r, nil, "AKIA1", key); err != nil {
			t.Fatalf("unchanged: %v", err)
		}
		change(&r)
		if got, err := sigv4.Sign(r, nil, "AKIA1", key); err == nil {
			t.Errorf("%s: signed as %s", what, got)
		}
	}
}
