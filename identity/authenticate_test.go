package identity_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// credential makes a credential known by a hash.
func credential(w *gatetest.World, kind string, hash [32]byte, principal gate.ID) gate.Change {
	c := gate.Change{
		Ref:  store.Ref{Kind: store.KindCredential, ID: string(hash[:])},
		Also: []store.Ref{{Kind: store.KindPrincipal, ID: string(principal[:])}},
		Body: fmt.Appendf(nil, `{"v":1,"type":%q,"principal":%q,"created":%q}`, kind, principal, w.Clock.Wall().Format(time.RFC3339Nano)),
	}
	c.Index[0] = string(principal[:])
	return c
}

// shown is a certificate that is in force for a day from the start on.
func shown(name string) *gate.Certificate {
	return &gate.Certificate{Fingerprint: sha256.Sum256([]byte(name)), NotBefore: gatetest.Start, NotAfter: gatetest.Start.Add(24 * time.Hour)}
}

// TestProofsAgree: a call is the principal's that everything it shows is of, or nobody's.
func TestProofsAgree(t *testing.T) {
	w := gatetest.New(t)
	clerk, token := w.Principal("clerk", false)
	other, others := w.Principal("other", false)
	w.Stage(credential(w, "client-certificate", shown("clerk").Fingerprint, clerk))
	w.Stage(credential(w, "client-certificate", shown("other").Fingerprint, other))
	early, late := *shown("clerk"), *shown("clerk")
	early.NotBefore = gatetest.Start.Add(1)
	late.NotAfter = gatetest.Start.Add(-1)
	unknown := secret.New([]byte("haven_unknown"))
	for _, c := range []struct {
		what  string
		proof gate.Proof
		want  gate.ID
	}{
		{"a certificate", gate.Proof{Certificate: shown("clerk")}, clerk},
		{"a certificate and a token of one principal", gate.Proof{Certificate: shown("clerk"), Bearer: token}, clerk},
		{"a certificate that nothing registers, and a token", gate.Proof{Certificate: shown("mesh"), Bearer: token}, clerk},
		{"a certificate that has ended, and a token", gate.Proof{Certificate: &late, Bearer: token}, clerk},
		{"a certificate and a token of two principals", gate.Proof{Certificate: shown("clerk"), Bearer: others}, gate.ID{}},
		{"the same the other way", gate.Proof{Certificate: shown("other"), Bearer: token}, gate.ID{}},
		{"a certificate and a token of nobody", gate.Proof{Certificate: shown("clerk"), Bearer: unknown}, gate.ID{}},
		{"a certificate and an Authorization that is none", gate.Proof{Certificate: shown("clerk"), Unreadable: true}, gate.ID{}},
		{"a token and an Authorization that is none", gate.Proof{Bearer: token, Unreadable: true}, gate.ID{}},
		{"a certificate that nothing registers", gate.Proof{Certificate: shown("mesh")}, gate.ID{}},
		{"a certificate before its time", gate.Proof{Certificate: &early}, gate.ID{}},
		{"a certificate after its time", gate.Proof{Certificate: &late}, gate.ID{}},
	} {
		call, err := w.Gate().Begin(background, gate.GenerateRandom, c.proof)
		if got := call.Principal().ID; got != c.want || c.want.IsZero() != errors.Is(err, gate.Unauthenticated) {
			t.Errorf("%s: %v, %v, want %v", c.what, got, err, c.want)
		}
	}
}

// TestCertificateEnds: by its own dates and by the gate's clock, though it is cached.
func TestCertificateEnds(t *testing.T) {
	w := gatetest.New(t)
	clerk, _ := w.Principal("clerk", false)
	w.Stage(credential(w, "client-certificate", shown("clerk").Fingerprint, clerk))
	for _, step := range []struct {
		after time.Duration
		valid bool
	}{{0, true}, {24 * time.Hour, true}, {1, false}} {
		w.Clock.Advance(step.after)
		if _, err := w.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Certificate: shown("clerk")}); (err == nil) != step.valid {
			t.Errorf("after %v more: %v", step.after, err)
		}
	}
}

// TestCredentialIsOfOneType: what a credential of one type is known by proves nothing as another: an
// access key id and a certificate are no secrets.
func TestCredentialIsOfOneType(t *testing.T) {
	w := gatetest.New(t)
	clerk, _ := w.Principal("clerk", false)
	const id = "AKIAIOSFODNN7EXAMPLE"
	certificate := gate.Certificate{Fingerprint: sha256.Sum256([]byte(id)), NotAfter: gatetest.Start.Add(time.Hour)}
	for _, kind := range []string{"access-key", "client-certificate", "bearer", "session", ""} {
		change := credential(w, kind, certificate.Fingerprint, clerk)
		w.Stage(change)
		if _, err := begin(w, secret.New([]byte(id))); (err == nil) != (kind == "bearer") {
			t.Errorf("%q as a token: %v", kind, err)
		}
		if _, err := w.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Certificate: &certificate}); (err == nil) != (kind == "client-certificate") {
			t.Errorf("%q as a certificate: %v", kind, err)
		}
		item := stored(w, change.Ref)
		w.Stage(gate.Change{Ref: item.Ref, Before: item, Delete: true, Also: change.Also})
	}
}
