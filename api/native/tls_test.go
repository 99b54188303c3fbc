package native_test

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/haven-health/haven/client"
)

// overTLS serves a world over TLS and returns the Go client of it.
func (w *world) overTLS(token string) *client.Client {
	w.t.Helper()
	server := httptest.NewUnstartedServer(w.handler)
	server.StartTLS()
	w.t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c, err := client.New(client.Config{Endpoint: server.URL, RootCAs: roots, Token: client.Token(token)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// TestClient takes a key through its life with the Go client, over a real connection.
func TestClient(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.overTLS(w.token), t.Context()
	never := 0
	key, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Lab results \U0001f9ea", Type: client.Data, Alias: "alias/lab", LifetimeDays: &never, Tags: map[string]string{"team": "caf\u00e9"}})
	if err != nil || key.Purpose != "Lab results \U0001f9ea" || key.Tags["team"] != "caf\u00e9" || !key.CreatedAt.Equal(start) {
		t.Fatalf("%+v %v", key, err)
	}
	context := map[string]string{"patient": "17", "e\u0301": "\u00e9", "": "\x00"}
	sealed, err := c.Encrypt(ctx, client.EncryptRequest{Key: "alias/lab", Plaintext: client.Sensitive("hello"), Context: context})
	if err != nil {
		t.Fatal(err)
	}
	dataKey, err := c.GenerateDataKey(ctx, client.GenerateDataKeyRequest{Key: key.KeyID, Context: context})
	if err != nil {
		t.Fatal(err)
	}
	if rotated, err := c.RotateKey(ctx, key.KeyID); err != nil || rotated.PreviousVersion != 1 {
		t.Fatalf("%+v %v", rotated, err)
	}
	results, err := c.Batch(ctx, []client.BatchItem{
		{Decrypt: &client.DecryptRequest{Ciphertext: sealed.Ciphertext, Context: context}},
		{Decrypt: &client.DecryptRequest{Ciphertext: dataKey.Ciphertext, Context: context, Key: "alias/lab"}},
		{Decrypt: &client.DecryptRequest{Ciphertext: dataKey.Ciphertext}},
		{Encrypt: &client.EncryptRequest{Key: "alias/lab", Plaintext: client.Sensitive("again")}},
	})
	if err != nil || string(results[0].Decrypt.Plaintext) != "hello" || string(results[1].Decrypt.Plaintext) != string(dataKey.Plaintext) ||
		!errors.Is(results[2].Err, client.InvalidCiphertext) || results[3].Encrypt.Version != 2 {
		t.Fatalf("%+v %v", results, err)
	}
	if _, err := c.MarkCompromised(ctx, client.MarkCompromisedRequest{Key: key.KeyID + "@1", Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Decrypt(ctx, client.DecryptRequest{Ciphertext: sealed.Ciphertext, Context: context})
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != client.InvalidState || refused.Status != http.StatusConflict || refused.RequestID == "" {
		t.Errorf("%+v", err)
	}
	if page, err := c.ListKeys(ctx, client.ListKeysRequest{Type: client.Data}); err != nil || len(page.Keys) != 1 {
		t.Errorf("%+v %v", page, err)
	}
	if random, err := c.GenerateRandom(ctx, 1024); err != nil || len(random) != 1024 {
		t.Errorf("%d bytes, %v", len(random), err)
	}
	if _, err := w.overTLS("haven_nobody").DescribeKey(ctx, key.KeyID); !errors.Is(err, client.Unauthenticated) {
		t.Errorf("%v", err)
	}
}
