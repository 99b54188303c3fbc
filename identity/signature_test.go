package identity_test

import (
	"errors"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// message is what is signed; signed by key, at a time, for a region.
type message struct {
	key    *identity.Credential
	at     time.Time
	region string
	header map[string][]string
}

const signedBody = `{"bytes":16}`

// proof signs the message and returns what a server then reads of it.
func (m message) proof(t testing.TB) gate.Proof {
	t.Helper()
	scope := sigv4.Scope{Date: sigv4.FormatTime(m.at)[:8], Region: m.region, Service: "haven"}
	key, err := sigv4.Derive(secret.New([]byte(m.key.SecretAccessKey)), scope)
	if err != nil {
		t.Fatal(err)
	}
	r := sigv4.Request{Method: "POST", Target: "/v1/generate-random", Host: "haven.example", Header: map[string][]string{
		"Content-Type": {"application/json"}, sigv4.TimeHeader: {sigv4.FormatTime(m.at)},
	}}
	for name, values := range m.header {
		r.Header[name] = values
	}
	authorization, err := sigv4.Sign(r, []byte(signedBody), m.key.ID, key)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{authorization}
	claims, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	return gate.Proof{Signed: &gate.Signed{Claims: claims, Body: []byte(signedBody)}}
}

// by is a message that an access key signs now.
func (p *people) by(key *identity.Credential) message {
	return message{key: key, at: p.Clock.Wall(), region: "us-east-1"}
}

// shows begins a call with a proof.
func (p *people) shows(proof gate.Proof) (gate.ID, error) {
	c, err := p.Gate().Begin(background, gate.GenerateRandom, proof)
	return c.Principal().ID, err
}

// signs tells whose an access key is.
func (p *people) signs(key *identity.Credential) (gate.ID, error) {
	p.Helper()
	return p.shows(p.by(key).proof(p))
}

// TestSignature: a request that is signed with an access key is its principal's; any other is
// nobody's, with the same answer.
func TestSignature(t *testing.T) {
	p := newPeople(t)
	key := p.accessKey()
	if who, err := p.signs(key); err != nil || who != p.nurse {
		t.Fatal(who, err)
	}
	wrongSecret, unknown := *key, *key
	wrongSecret.SecretAccessKey = "-" + key.SecretAccessKey[1:] // no secret has a hyphen
	unknown.ID = "AKIAAAAAAAAAAAAAAAAA"
	stranger := unknown // who knows what unknown keys are verified with
	stranger.SecretAccessKey = "----------------------------------------"
	otherBody := p.by(key).proof(t)
	otherBody.Signed.Body = []byte(`{"bytes":17}`)
	at := func(d time.Duration) gate.Proof {
		m := p.by(key)
		m.at = m.at.Add(d)
		return m.proof(t)
	}
	elsewhere, temporary := p.by(key), p.by(key)
	elsewhere.region = "eu-central-1"
	temporary.header = map[string][]string{"X-Amz-Security-Token": {"t"}}
	unreadable := p.by(key).proof(t)
	unreadable.Unreadable = true
	want := ""
	for what, proof := range map[string]gate.Proof{
		"nothing": {}, "wrong secret": p.by(&wrongSecret).proof(t), "unknown access key": p.by(&unknown).proof(t),
		"the secret that unknown keys are verified with": p.by(&stranger).proof(t),
		"another body": otherBody, "too old": at(-sigv4.Skew - time.Second), "too new": at(sigv4.Skew + time.Second), "another day": at(-24 * time.Hour),
		"another region": elsewhere.proof(t), "with a session token": temporary.proof(t), "a body that was not read": unreadable,
	} {
		who, err := p.shows(proof)
		if !who.IsZero() || !errors.Is(err, gate.Unauthenticated) {
			t.Errorf("%s: %v, %v", what, who, err)
			continue
		}
		if want == "" {
			want = err.Error()
		} else if err.Error() != want {
			t.Errorf("%s: another answer: %v", what, err)
		}
	}
	for _, d := range []time.Duration{-sigv4.Skew, sigv4.Skew} {
		if who, err := p.shows(at(d)); err != nil || who != p.nurse {
			t.Errorf("signed %v from now: %v, %v", d, who, err)
		}
	}
}

// TestSignatureEnds: with its credential and its principal, though its signing key is at hand.
func TestSignatureEnds(t *testing.T) {
	yes, no := true, false
	for what, end := range map[string]func(*people, *identity.Credential) error{
		"inactive": func(p *people, key *identity.Credential) error {
			_, err := p.Identity().UpdateCredential(background, identity.UpdateCredentialRequest{Principal: "nurse", Credential: key.ID, Active: &no})
			return err
		},
		"deleted": func(p *people, key *identity.Credential) error {
			return p.Identity().DeleteCredential(background, identity.DeleteCredentialRequest{Principal: "nurse", Credential: key.ID})
		},
		"disabled principal": func(p *people, _ *identity.Credential) error {
			_, err := p.Identity().UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: "nurse", Disabled: &yes})
			return err
		},
	} {
		p := newPeople(t)
		key := p.accessKey()
		before := p.by(key).proof(t)
		if _, err := p.shows(before); err != nil {
			t.Fatal(err)
		}
		p.ok(end(p, key))
		if _, err := p.shows(before); !errors.Is(err, gate.Unauthenticated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p := newPeople(t)
	key, err := p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "access-key", ExpiresAt: p.Clock.Wall().Add(36 * time.Hour)})
	p.ok(err)
	for _, step := range []struct {
		after time.Duration
		valid bool
	}{{0, true}, {36*time.Hour - 1, true}, {1, false}} { // over a midnight, with another signing key
		p.Clock.Advance(step.after)
		if _, err := p.signs(key); (err == nil) != step.valid {
			t.Errorf("after %v more: %v", step.after, err)
		}
	}
}

// TestSignatureProvesTheWholeCall: what a call does after it began is still its signer's.
func TestSignatureProvesTheWholeCall(t *testing.T) {
	p := newPeople(t)
	key := p.accessKey()
	proof := p.by(key).proof(t)
	p.Clock.Advance(sigv4.Skew)
	c, err := p.Gate().Begin(background, gate.GenerateRandom, proof)
	p.ok(err)
	p.Clock.Advance(time.Minute)
	if _, err := p.Gate().Own(background, c, gate.GenerateRandom); err != nil {
		t.Errorf("authenticated again: %v", err)
	}
	if _, err := p.shows(proof); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("another call with the same signature: %v", err)
	}
}

// TestLesson11UnknownAccessKey: an unknown access key and a wrong signature are told apart by nothing,
// and a wrong signature leaves no trace at the access key.
func TestLesson11UnknownAccessKey(t *testing.T) {
	p := newPeople(t)
	key := p.accessKey()
	wrong, unknown := *key, *key
	wrong.SecretAccessKey = key.SecretAccessKey[1:] + "x"
	unknown.ID = "AKIAAAAAAAAAAAAAAAAA"
	_, first := p.signs(&wrong)
	_, second := p.signs(&unknown)
	if first == nil || second == nil || first.Error() != second.Error() {
		t.Errorf("%v, and %v", first, second)
	}
	used := func() string {
		list, err := p.Identity().ListCredentials(background, identity.ListCredentialsRequest{Principal: "nurse"})
		p.ok(err)
		for _, c := range list.Credentials {
			if c.ID == key.ID {
				return c.LastUsedOn
			}
		}
		t.Fatal("the access key is not listed")
		return ""
	}
	if day := used(); day != "" {
		t.Errorf("used on %s", day)
	}
	if _, err := p.signs(key); err != nil {
		t.Fatal(err)
	}
	if day := used(); day != p.Clock.Wall().Format(time.DateOnly) {
		t.Errorf("used on %q", day)
	}
}

// TestSignatureAndCertificate: a signature agrees with a certificate as a token does.
func TestSignatureAndCertificate(t *testing.T) {
	p := newPeople(t)
	other, _ := p.Principal("other", false)
	p.Stage(credential(p.World, "client-certificate", shown("nurse").Fingerprint, p.nurse))
	p.Stage(credential(p.World, "client-certificate", shown("other").Fingerprint, other))
	key := p.accessKey()
	for name, want := range map[string]gate.ID{"nurse": p.nurse, "other": {}, "nobody's": p.nurse} {
		proof := p.by(key).proof(t)
		proof.Certificate = shown(name)
		if who, err := p.shows(proof); who != want || (err == nil) == want.IsZero() {
			t.Errorf("with %s certificate: %v, %v", name, who, err)
		}
	}
}
