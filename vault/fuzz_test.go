package vault_test

import (
	"testing"

	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/vault"
)

// FuzzVersion: what is read as a stored version is written again in a form that reads as the same.
func FuzzVersion(f *testing.F) {
	w := newWorld(f)
	w.store(vault.StoreRequest{Name: "a", Text: of("x"), Metadata: map[string]string{"a": "b"}})
	item := w.Items(store.KindStoredVersion)[0]
	f.Add(item.Body)
	f.Add([]byte("\x00\x02{}x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		item := item
		item.Body = body
		once, ok := vault.Recode(&item)
		if !ok {
			return
		}
		item.Body = once
		if twice, ok := vault.Recode(&item); !ok || string(twice) != string(once) {
			t.Errorf("%q became %q, then %q", body, once, twice)
		}
	})
}

// FuzzReference: a name or ARN that is taken is written as it was read.
func FuzzReference(f *testing.F) {
	m := vault.New(vault.Config{Region: "us-east-1", Account: "000000000000"})
	f.Add("api-signing-key")
	f.Add("arn:aws:secretsmanager:us-east-1:000000000000:secret:api-signing-key-abcdef")
	f.Fuzz(func(t *testing.T, text string) {
		if again, ok := m.Split(text); ok && again != text {
			t.Errorf("%q became %q", text, again)
		}
	})
}
