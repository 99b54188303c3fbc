package oidc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Token is what a valid token says.
type Token struct {
	// Name is of the principal: the issuer's prefix and the claim's value.
	Name string
	// Issued and Expires are its "iat" and "exp".
	Issued, Expires time.Time
	// Methods are its "amr", Class its "acr".
	Methods []string
	Class   string
	// MultiFactor tells that more was shown than something known.
	MultiFactor bool
}

// factors are the values of "amr" (RFC 8176) that stand for more than something known: several
// factors or channels, a one-time password, a key in hardware, a smart card.
var factors = []string{"mfa", "mca", "otp", "hwk", "sc"}

// algorithms are those that are believed. They are three for their keys differ: none can be taken for
// another's, and none is secret.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// maxMethods bounds "amr".
const maxMethods = 16

// verified is a token that was valid, and the keys it was valid by.
type verified struct {
	Token
	issuer *issuer
	set    *keySet
}

// Is tells whether a bearer token looks like a JSON Web Token: three parts between dots.
func Is(token []byte) bool { return bytes.Count(token, []byte(".")) == 2 }

// Verify returns what a token says, as of now; [ErrRefused] if it is not valid. A token is verified
// once and then remembered, while its issuer's keys are the same and its time is not over.
func (s *Issuers) Verify(ctx context.Context, token []byte, now time.Time) (Token, error) {
	if len(s.byURL) == 0 || len(token) > MaxToken || !Is(token) {
		return Token{}, ErrRefused
	}
	hash := sha256.Sum256(token)
	if t, ok := s.remembered(hash, now); ok {
		return t, nil
	}
	i := s.byURL[claimedIssuer(token)]
	if i == nil {
		return Token{}, ErrRefused
	}
	t, set, err := i.verify(ctx, string(token), now)
	if err != nil {
		return Token{}, err
	}
	s.remember(hash, verified{t, i, set})
	return t, nil
}

func (s *Issuers) remembered(hash [32]byte, now time.Time) (Token, bool) {
	s.mu.Lock()
	v, ok := s.verified[hash]
	s.mu.Unlock()
	if !ok {
		return Token{}, false
	}
	if now.Before(v.Expires) && v.issuer.usable(now) == v.set {
		return v.Token, true
	}
	s.mu.Lock()
	delete(s.verified, hash)
	s.mu.Unlock()
	return Token{}, false
}

// remember keeps a valid token in place of any other, if there is no room: it costs that one a
// verification.
func (s *Issuers) remember(hash [32]byte, v verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.verified) >= maxRemember {
		for other := range s.verified {
			delete(s.verified, other)
			break
		}
	}
	s.verified[hash] = v
}

// claimedIssuer returns "iss" of a token that nobody has verified: it chooses among the issuers that
// are configured, and that one's keys then decide.
func claimedIssuer(token []byte) string {
	_, rest, _ := bytes.Cut(token, []byte("."))
	body, _, _ := bytes.Cut(rest, []byte("."))
	payload, err := base64.RawURLEncoding.Strict().AppendDecode(nil, body)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// verify verifies by the keys at hand and, if none is the token's, by those that the issuer has now.
func (i *issuer) verify(ctx context.Context, token string, now time.Time) (Token, *keySet, error) {
	set := i.usable(now)
	if set == nil {
		i.renew(ctx, now)
		if set = i.usable(now); set == nil {
			return Token{}, nil, ErrRefused
		}
	}
	t, known := i.verifyBy(ctx, set, token, now)
	if t != nil {
		return *t, set, nil
	}
	if !known {
		i.renew(ctx, now)
		if next := i.usable(now); next != nil && next != set {
			if t, _ = i.verifyBy(ctx, next, token, now); t != nil {
				return *t, next, nil
			}
		}
	}
	return Token{}, nil, ErrRefused
}

// verifyBy returns what the token says, nil if it is not valid; known tells that the key it names is
// in the set, so that no other key would do.
func (i *issuer) verifyBy(ctx context.Context, set *keySet, token string, now time.Time) (t *Token, known bool) {
	with := &signature{set: set}
	names := make([]string, len(algorithms))
	for n, a := range algorithms {
		names[n] = string(a)
	}
	verifier := oidc.NewVerifier(i.URL, with, &oidc.Config{
		ClientID: i.Audience, SupportedSigningAlgs: names, Now: func() time.Time { return now },
	})
	valid, err := verifier.Verify(ctx, token)
	if err != nil || valid.Issuer != i.URL || !now.Before(valid.Expiry) {
		return nil, with.known
	}
	t, err = i.read(with.payload, valid, now)
	if err != nil {
		return nil, true
	}
	return t, true
}

// read takes from the claims, which are the issuer's by now, what counts here. They are read strictly:
// a name that stands twice is refused, for another reader may take the other.
func (i *issuer) read(payload []byte, valid *oidc.IDToken, now time.Time) (*Token, error) {
	var claims map[string]jsontext.Value
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, ErrRefused
	}
	t := &Token{Issued: valid.IssuedAt, Expires: valid.Expiry}
	var name string
	var notBefore float64
	err := errors.Join(claim(claims, i.Claim, &name), claim(claims, "nbf", &notBefore),
		claim(claims, "amr", &t.Methods), claim(claims, "acr", &t.Class))
	latest := now.Add(Ahead)
	switch {
	case err != nil, name == "", len(t.Methods) > maxMethods:
		return nil, ErrRefused
	case t.Issued.IsZero() || t.Issued.After(latest) || notBefore > float64(latest.Unix()) || math.IsNaN(notBefore):
		return nil, ErrRefused
	case len(i.ACR) > 0 && !slices.Contains(i.ACR, t.Class):
		return nil, ErrRefused
	}
	if i.Claim == "email" {
		var sure bool
		if claim(claims, "email_verified", &sure) != nil || !sure {
			return nil, ErrRefused
		}
	}
	t.Name = i.Prefix + name
	t.MultiFactor = slices.ContainsFunc(t.Methods, func(m string) bool { return slices.Contains(factors, m) })
	return t, nil
}

// claim reads one claim, if it is there.
func claim(claims map[string]jsontext.Value, name string, into any) error {
	raw, ok := claims[name]
	if !ok {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// signature verifies one token's signature by a set of keys. It implements oidc.KeySet.
type signature struct {
	set     *keySet
	known   bool
	payload []byte
}

// VerifySignature implements oidc.KeySet.
func (s *signature) VerifySignature(_ context.Context, token string) ([]byte, error) {
	s.known = true // what cannot be read no other key makes valid
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, ErrRefused
	}
	header := signed.Signatures[0].Protected
	if !forUs(header.ExtraHeaders[jose.HeaderType]) {
		return nil, ErrRefused
	}
	s.known = false
	for k := range s.set.keys {
		key := &s.set.keys[k]
		if header.KeyID != "" && header.KeyID != key.KeyID {
			continue
		}
		s.known = header.KeyID != ""
		if s.payload, err = signed.Verify(key); err == nil {
			return s.payload, nil
		}
	}
	return nil, ErrRefused
}

// forUs tells whether a token's "typ" is of one that says who calls: an ID token or an access token
// (RFC 9068). Others that an issuer signs, such as logout tokens, prove nobody.
func forUs(kind any) bool {
	if kind == nil {
		return true
	}
	text, _ := kind.(string)
	switch strings.TrimPrefix(strings.ToLower(text), "application/") {
	case "jwt", "at+jwt":
		return true
	}
	return false
}
