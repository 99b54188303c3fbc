package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// issuer is an issuer at work.
type issuer struct {
	Issuer
	client *http.Client
	log    *slog.Logger

	mu      sync.Mutex
	set     *keySet // the last that was fetched; nil before
	asked   time.Time
	asking  chan struct{} // closed when the fetch that is under way ends; nil without
	cancel  context.CancelFunc
	err     error // of the last fetch
	stopped bool
}

// keySet is what an issuer signed with when it was asked.
type keySet struct {
	keys    []jose.JSONWebKey
	fetched time.Time
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    fetchTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true, // a fetch in ten minutes keeps no connection
	}
}

// usable returns the keys that count now, nil without any. Old ones are asked for again meanwhile.
func (i *issuer) usable(now time.Time) *keySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.set == nil || now.Sub(i.set.fetched) >= UsableFor {
		return nil
	}
	if now.Sub(i.set.fetched) >= FreshFor {
		i.fetchLocked(now)
	}
	return i.set
}

// renew asks for the keys, unless they were asked for less than FetchEvery ago, and waits until they
// are there, or ctx ends.
func (i *issuer) renew(ctx context.Context, now time.Time) {
	i.mu.Lock()
	i.fetchLocked(now)
	asking := i.asking
	i.mu.Unlock()
	if asking == nil {
		return
	}
	select {
	case <-asking:
	case <-ctx.Done():
	}
}

// fetchLocked begins a fetch if one is due. It outlives the call that needs it: others wait for it
// too.
func (i *issuer) fetchLocked(now time.Time) {
	if i.stopped || i.asking != nil || !i.asked.IsZero() && now.Sub(i.asked) < FetchEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*fetchTimeout)
	i.asked, i.asking, i.cancel = now, make(chan struct{}), cancel
	go func() {
		defer cancel()
		keys, err := i.fetch(ctx)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.took(keys, err, now)
		close(i.asking)
		i.asking = nil
	}()
}

// took notes what a fetch brought. What is known goes on being used when it brought nothing.
func (i *issuer) took(keys []jose.JSONWebKey, err error, now time.Time) {
	switch {
	case i.stopped:
		return
	case err != nil:
		i.log.Warn("the keys of an OpenID Connect issuer could not be fetched", slog.String("issuer", i.URL),
			slog.Bool("known_keys_used", i.set != nil && now.Sub(i.set.fetched) < UsableFor), slog.Any("error", err))
	case i.err != nil:
		i.log.Info("an OpenID Connect issuer answers again", slog.String("issuer", i.URL))
	}
	if i.err = err; err == nil {
		i.set = &keySet{keys: keys, fetched: now}
	}
}

func (i *issuer) failing() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err != nil
}

func (i *issuer) close() {
	i.mu.Lock()
	i.stopped = true
	asking, cancel := i.asking, i.cancel
	i.mu.Unlock()
	if asking != nil {
		cancel()
		<-asking
	}
}

// fetch reads where the keys are, and the keys.
func (i *issuer) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := i.get(ctx, strings.TrimSuffix(i.URL, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	if about.Issuer != i.URL {
		return nil, errors.New("its configuration is of another issuer: both must be written alike, to a slash at the end")
	}
	if u, err := url.Parse(about.Keys); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("its configuration has no https jwks_uri")
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := i.get(ctx, about.Keys, &set); err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	keys := fitting(set.Keys)
	if len(keys) == 0 {
		return nil, errors.New("it has no key for RS256, ES256 or EdDSA")
	}
	return keys, nil
}

// get reads one bounded JSON document. Errors do not repeat what was answered.
func (i *issuer) get(ctx context.Context, from string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return errors.New("not a URL")
	}
	request.Header.Set("Accept", "application/json")
	answer, err := i.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered with status %d", answer.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(b) > maxDocument {
		return fmt.Errorf("over %d bytes", maxDocument)
	}
	if json.Unmarshal(b, into) != nil {
		return errors.New("not the JSON it should be")
	}
	return nil
}

// fitting returns the keys that one of our algorithms uses. Others are left out and do no harm:
// issuers publish keys for other purposes beside them.
func fitting(raw []jsontext.Value) []jose.JSONWebKey {
	var out []jose.JSONWebKey
	for _, b := range raw {
		var key jose.JSONWebKey
		if len(out) == maxKeys {
			break
		}
		if key.UnmarshalJSON(b) == nil && key.Valid() && (key.Use == "" || key.Use == "sig") && fits(&key) {
			out = append(out, key)
		}
	}
	return out
}

// fits tells whether a key is for one of our algorithms. Each type of key is for one of them, so that
// none can be taken for another's.
func fits(key *jose.JSONWebKey) bool {
	var own jose.SignatureAlgorithm
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= 2048 && n <= 8192 {
			own = jose.RS256
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			own = jose.ES256
		}
	case ed25519.PublicKey:
		own = jose.EdDSA
	}
	return own != "" && (key.Algorithm == "" || key.Algorithm == string(own))
}
