package haven_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/haventest"
	"github.com/haven-health/haven/store"
)

// certified makes a certificate that nobody but its holder signed, and registers it for the
// administrator. It returns what registers it.
func certified(t *testing.T, h *haventest.Server, name string, register bool) (*tls.Certificate, gate.Change) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	admin := administrator(t, h)
	hash := sha256.Sum256(der)
	change := gate.Change{
		Ref:  store.Ref{Kind: store.KindCredential, ID: string(hash[:])},
		Also: []store.Ref{{Kind: store.KindPrincipal, ID: string(admin[:])}},
		Body: fmt.Appendf(nil, `{"v":1,"type":"client-certificate","principal":%q,"created":"2026-01-01T00:00:00Z"}`, admin),
	}
	change.Index[0] = string(admin[:])
	if register {
		stageAs(t, h, admin, change)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, change
}

func administrator(t *testing.T, h *haventest.Server) gate.ID {
	t.Helper()
	key, err := h.System().KeyManager().DescribeKey(t.Context(), "alias/haven-master")
	if err != nil {
		t.Fatal(err)
	}
	return key.CreatedBy
}

func stageAs(t *testing.T, h *haventest.Server, admin gate.ID, changes ...gate.Change) {
	t.Helper()
	g := h.System().Gate()
	call, err := g.Begin(t.Context(), gatetest.Staging, gate.Proof{Local: admin})
	if err == nil {
		err = g.Do(t.Context(), call, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
			return gate.Outcome{Changes: changes}, nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestClientCertificate: a registered certificate is who calls, over a real connection, without a
// token and without an authority; deleting its credential ends it, on the open connection too.
func TestClientCertificate(t *testing.T) {
	h := haventest.New(t, haventest.InMemory())
	known, change := certified(t, h, "clinic", true)
	strange, _ := certified(t, h, "clinic", false)
	with := func(c *tls.Certificate, token client.Token) error {
		api, err := client.New(client.Config{Endpoint: h.Endpoint(), CAFile: h.CAFile(), Certificate: c, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		_, err = api.GenerateRandom(t.Context(), 16)
		return err
	}
	if err := with(known, ""); err != nil {
		t.Errorf("a registered certificate: %v", err)
	}
	if err := with(strange, ""); !errors.Is(err, client.Unauthenticated) {
		t.Errorf("a certificate of the same name that nothing registers: %v", err)
	}
	if err := with(strange, h.Token()); err != nil {
		t.Errorf("a token, beside a certificate that nothing registers: %v", err)
	}
	api, err := client.New(client.Config{Endpoint: h.Endpoint(), CAFile: h.CAFile(), Certificate: known})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	if _, err := api.GenerateRandom(t.Context(), 16); err != nil {
		t.Fatal(err)
	}
	items, _, err := h.System().Gate().View().Get(t.Context(), change.Ref)
	if err != nil {
		t.Fatal(err)
	}
	stageAs(t, h, administrator(t, h), gate.Change{Ref: change.Ref, Before: &items[0], Delete: true, Also: change.Also})
	if _, err := api.GenerateRandom(t.Context(), 16); !errors.Is(err, client.Unauthenticated) {
		t.Errorf("after its credential was deleted: %v", err)
	}
}

// TestLesson15CertificateOfAConnectionStays: what a connection was begun with decides, on a resumed
// one too: a client that means to show another certificate by then is not taken for its holder.
func TestLesson15CertificateOfAConnectionStays(t *testing.T) {
	h := haventest.New(t, haventest.InMemory())
	known, _ := certified(t, h, "known", true)
	strange, _ := certified(t, h, "strange", false)
	shown := strange
	transport := h.HTTPClient().Transport.(*http.Transport)
	transport.DisableKeepAlives = true
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil }
	resumed := false
	ask := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Endpoint()+"/v1/generate-random", strings.NewReader(`{"bytes":16}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		io.Copy(io.Discard, answer.Body)
		resumed = answer.TLS.DidResume
		return answer.StatusCode
	}
	if status := ask(); status != http.StatusUnauthorized || resumed {
		t.Fatalf("a certificate that nothing registers: %d, resumed %v", status, resumed)
	}
	shown = known
	if status := ask(); status != http.StatusUnauthorized || !resumed {
		t.Errorf("a connection that resumes the session of another certificate: %d, resumed %v", status, resumed)
	}
	transport.TLSClientConfig.ClientSessionCache = nil
	if status := ask(); status != http.StatusOK || resumed {
		t.Errorf("a connection of its own: %d, resumed %v", status, resumed)
	}
}
