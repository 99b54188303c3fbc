// Package oidctest is an OpenID Connect issuer for tests: a real one over TLS, with discovery document,
// keys, and tokens that it signs as it is told, wrong ones too.
//
// It guarantees nothing but that what it publishes is what it signs with. It is for tests alone.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// Provider is an issuer that runs until its test ends. What it publishes is changed by Set.
type Provider struct {
	testing.TB
	*httptest.Server
	// Now is when its tokens are issued: a minute before, for an hour.
	Now time.Time
	// Keys are those it publishes, Down tells that it answers 503 to everything.
	Keys []jose.JSONWebKey
	Down bool
	// Issuer and KeysURL are what its discovery document says.
	Issuer, KeysURL string
	// Answer, if not nil, may answer in its place, and then returns true.
	Answer func(http.ResponseWriter, *http.Request) bool

	mu    sync.Mutex
	asked int // for the keys
}

// New starts a provider.
func New(t testing.TB, now time.Time) *Provider {
	t.Helper()
	p := &Provider{TB: t, Now: now}
	p.Server = httptest.NewUnstartedServer(p)
	p.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Server.Close)
	p.Issuer, p.KeysURL = p.URL, p.URL+"/keys"
	return p
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path == "/keys" {
		p.asked++
	}
	switch {
	case p.Answer != nil && p.Answer(w, r):
	case p.Down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/.well-known/openid-configuration":
		json.MarshalWrite(w, map[string]any{"issuer": p.Issuer, "jwks_uri": p.KeysURL, "id_token_signing_alg_values_supported": []string{"none", "HS256"}})
	case r.URL.Path == "/keys":
		json.MarshalWrite(w, map[string]any{"keys": raw(p.TB, p.Keys)})
	default:
		http.NotFound(w, r)
	}
}

// raw returns keys as they are published, with one among them that nobody knows what to do with.
func raw(t testing.TB, keys []jose.JSONWebKey) []any {
	out := []any{map[string]any{"kty": "new", "kid": "of a kind that nobody knows"}}
	for i := range keys {
		b, err := keys[i].MarshalJSON()
		var v any
		if err != nil || json.Unmarshal(b, &v) != nil {
			t.Error(err)
		}
		out = append(out, v)
	}
	return out
}

// Set changes the provider while it may be asked.
func (p *Provider) Set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Times returns how often its keys were asked for.
func (p *Provider) Times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// Signer is a private key and the name it signs under.
type Signer struct {
	KeyID     string
	Algorithm jose.SignatureAlgorithm
	Key       crypto.Signer
}

// Publish makes a key and lets the provider publish it.
func (p *Provider) Publish(kid string, algorithm jose.SignatureAlgorithm) Signer {
	p.Helper()
	var key crypto.Signer
	var err error
	switch algorithm {
	case jose.RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		p.Fatal(err)
	}
	p.Set(func() { p.Keys = append(p.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"}) })
	return Signer{kid, algorithm, key}
}

// Sign signs a payload as it is; header overrides what the header has.
func (s Signer) Sign(t testing.TB, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	return SignWith(t, s.Algorithm, s.Key, s.KeyID, payload, header)
}

// SignWith signs a payload with any key, by any algorithm.
func SignWith(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	for name, value := range header {
		options.WithHeader(name, value)
	}
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := by.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Claims are those of a valid token, changed; nil takes one out.
func (p *Provider) Claims(change map[string]any) string {
	p.Helper()
	c := map[string]any{
		"iss": p.URL, "aud": "haven", "sub": "clerk", "iat": p.Now.Add(-time.Minute).Unix(), "exp": p.Now.Add(time.Hour).Unix(),
	}
	for name, value := range change {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	b, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		p.Fatal(err)
	}
	return string(b)
}

// Roots vouch for the provider's certificate.
func (p *Provider) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	return roots
}
