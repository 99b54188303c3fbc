package haven_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/haventest"
	"github.com/haven-health/haven/identity"
)

// certified makes a certificate that nobody but its holder signed.
func certified(t *testing.T, name string) *tls.Certificate {
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
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// register makes a certificate a credential of the administrator, and returns its id.
func register(t *testing.T, h *haventest.Server, c *tls.Certificate) string {
	t.Helper()
	made, err := h.System().Identity().CreateCredential(t.Context(), identity.CreateCredentialRequest{
		Type: "client-certificate", Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// TestClientCertificate: a registered certificate is who calls, over a real connection, without a
// token and without an authority; deleting its credential ends it, on the open connection too.
func TestClientCertificate(t *testing.T) {
	h := haventest.New(t, haventest.InMemory())
	known, strange := certified(t, "clinic"), certified(t, "clinic")
	credential := register(t, h, known)
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
	if err := h.System().Identity().DeleteCredential(t.Context(), identity.DeleteCredentialRequest{Credential: credential}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.GenerateRandom(t.Context(), 16); !errors.Is(err, client.Unauthenticated) {
		t.Errorf("after its credential was deleted: %v", err)
	}
}

// TestLesson15CertificateOfAConnectionStays: what a connection was begun with decides, on a resumed
// one too: a client that means to show another certificate by then is not taken for its holder.
func TestLesson15CertificateOfAConnectionStays(t *testing.T) {
	h := haventest.New(t, haventest.InMemory())
	known, strange := certified(t, "known"), certified(t, "strange")
	register(t, h, known)
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

// TestSigningClient: requests signed with an access key are its principal's over a real connection, also
// those that are large or change something, and with another secret, or another region, nobody's.
func TestSigningClient(t *testing.T) {
	h := haventest.New(t, haventest.InMemory())
	made, err := h.System().Identity().CreateCredential(t.Context(), identity.CreateCredentialRequest{Type: "access-key"})
	if err != nil {
		t.Fatal(err)
	}
	with := func(secret, region string) *client.Client {
		api, err := client.New(client.Config{
			Endpoint: h.Endpoint(), CAFile: h.CAFile(), SigningKey: client.SigningKey{ID: made.ID, Secret: client.Token(secret), Region: region},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(api.Close)
		return api
	}
	api := with(made.SecretAccessKey, "")
	key, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Purpose: "Lab results", Type: client.Data})
	if err != nil {
		t.Fatal(err)
	}
	items := make([]client.BatchItem, 100)
	for i := range items {
		items[i].Encrypt = &client.EncryptRequest{Key: key.KeyID, Plaintext: make([]byte, 1000)}
	}
	if results, err := api.Batch(t.Context(), items); err != nil || results[99].Err != nil {
		t.Errorf("a batch: %v", err)
	}
	first := "x"
	if made.SecretAccessKey[:1] == first {
		first = "y"
	}
	for _, stranger := range []*client.Client{with(first+made.SecretAccessKey[1:], ""), with(made.SecretAccessKey, "eu-central-1")} {
		if _, err := stranger.GenerateRandom(t.Context(), 16); !errors.Is(err, client.Unauthenticated) {
			t.Errorf("a stranger: %v", err)
		}
	}
}
