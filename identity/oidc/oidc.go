// Package oidc verifies the tokens of OpenID Connect issuers: JSON Web Tokens that a person's or a
// program's own identity provider gave it.
//
// It guarantees that a token is believed only if an issuer named in the configuration signed it with
// RS256, ES256 or EdDSA, for the audience configured, and its time has come and is not over; that no
// address is called but the issuer's own, which the operator wrote, and the one of its keys that the
// issuer gives there; that what issuers answer is bounded, in time and length; and that no token
// makes a server ask an issuer more than once a minute, or remember more than a bounded number of
// tokens that were valid.
//
// It knows no principals: whose a name is, its caller decides. It never follows a redirect, never
// takes a key, an address or an algorithm from a token, and never repeats a token's text in an
// error or a log.
package oidc

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Issuer is who issues tokens, as the operator configures it. There is no operation that adds one: who
// may say which issuer is believed is every principal it may name.
type Issuer struct {
	// URL is the issuer's identifier, an https URL, exactly as "iss" in its tokens has it. Required.
	URL string
	// Audience is what "aud" of a token must have among its values: Haven, by the name that the issuer
	// knows it by. A token for another service is no proof here. Required.
	Audience string
	// Claim names the principal. Its value must be one that the issuer's users cannot choose. With
	// "email" the claim email_verified must be true. Optional: empty means "sub".
	Claim string
	// Prefix stands before the claim's value in the principal's name. Where there are several issuers
	// none may begin with another's, so that no two name the same principal. Optional.
	Prefix string
	// ACR are the values of "acr" that are enough; a token with another, or none, is refused. Optional:
	// empty asks for none.
	ACR []string
	// RootCAs are who may vouch for the issuer's certificate. Optional: nil means the machine's.
	RootCAs *x509.CertPool
}

// Times and bounds.
const (
	// MaxToken is the longest token that is looked at, in bytes.
	MaxToken = 8192
	// Ahead is how far ahead of ours an issuer's clock may be: for "iat" and "nbf". A token ends at
	// "exp" by our clock.
	Ahead = time.Minute
	// FetchEvery is how often, at most, an issuer is asked for its keys.
	FetchEvery = time.Minute
	// FreshFor is how long keys are used before they are asked for again, so that one the issuer
	// took back ends.
	FreshFor = 10 * time.Minute
	// UsableFor is how long keys are used while the issuer does not answer.
	UsableFor = 24 * time.Hour

	fetchTimeout = 5 * time.Second
	maxDocument  = 256 << 10
	maxKeys      = 64
	maxRemember  = 4096
)

// ErrRefused says that a token proves nothing, whatever was wrong with it.
var ErrRefused = errors.New("oidc: the token is not valid here")

// Issuers are those that are believed. Its methods may be called from several goroutines.
type Issuers struct {
	byURL map[string]*issuer

	mu       sync.Mutex
	verified map[[32]byte]verified
}

// New checks a configuration. No issuer is asked before its first token comes: one that is down
// keeps no server from starting.
func New(list []Issuer, log *slog.Logger) (*Issuers, error) {
	if err := Check(list); err != nil {
		return nil, err
	}
	s := &Issuers{byURL: map[string]*issuer{}, verified: map[[32]byte]verified{}}
	for _, cfg := range list {
		if cfg.Claim == "" {
			cfg.Claim = "sub"
		}
		s.byURL[cfg.URL] = &issuer{Issuer: cfg, log: log, client: newClient(cfg.RootCAs)}
	}
	return s, nil
}

// Check returns why a configuration would be refused by [New], nil if it would not.
func Check(list []Issuer) error {
	for i := range list {
		if err := list[i].check(list[:i]); err != nil {
			return err
		}
	}
	return nil
}

func (cfg *Issuer) check(others []Issuer) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("oidc: an issuer is an https URL without user, query and fragment")
	}
	if cfg.Audience == "" {
		return fmt.Errorf("oidc: issuer %s needs an audience: without it a token for any other service would do", cfg.URL)
	}
	for _, other := range others {
		if other.URL == cfg.URL {
			return fmt.Errorf("oidc: issuer %s is given twice", cfg.URL)
		}
		if strings.HasPrefix(other.Prefix, cfg.Prefix) || strings.HasPrefix(cfg.Prefix, other.Prefix) {
			return fmt.Errorf("oidc: issuers %s and %s could name one principal: give each a prefix, none of which begins with another", other.URL, cfg.URL)
		}
	}
	return nil
}

// Failing returns how many issuers did not give their keys when they were last asked.
func (s *Issuers) Failing() int {
	n := 0
	for _, i := range s.byURL {
		if i.failing() {
			n++
		}
	}
	return n
}

// Close ends what is being asked, and waits for it.
func (s *Issuers) Close() {
	for _, i := range s.byURL {
		i.close()
	}
}

// newClient keeps to what a fetch of two small documents needs.
func newClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:   fetchTimeout,
		Transport: newTransport(roots),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("oidc: redirects are not followed")
		},
	}
}
