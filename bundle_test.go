package haven_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
)

// outside returns a file of the test data that is kept beside the project, not in it: a bare clone
// goes without, continuous integration must have it.
func outside(t *testing.T, name string) []byte {
	t.Helper()
	folder := filepath.Join("..", "shared")
	if vectors := os.Getenv("HAVEN_VECTORS"); vectors != "" {
		folder = filepath.Dir(vectors)
	}
	b, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("HAVEN_CI") != "1" {
		t.Skipf("no %s beside this clone", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPatientSummary carries HL7's example of an International Patient Summary as a passport
// would: each small resource encrypted directly for its patient, the whole under a data key, and
// all of it readable after rotations and a cold start.
func TestPatientSummary(t *testing.T) {
	document := outside(t, "data/ips-bundle-01.json")
	var bundle struct {
		Entry []struct{ Resource json.RawMessage }
	}
	if err := json.Unmarshal(document, &bundle); err != nil || len(bundle.Entry) == 0 {
		t.Fatalf("not a bundle: %d entries, %v", len(bundle.Entry), err)
	}
	s, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	system := open(t, s, seals)
	km := system.KeyManager()
	key, err := km.CreateKey(t.Context(), keys.CreateRequest{Purpose: "Patient summaries", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	patient, err := blob.ContextOf(map[string]string{"document": "ips-bundle-01"})
	if err != nil {
		t.Fatal(err)
	}
	var items []keys.BatchItem
	var plain [][]byte
	for _, e := range bundle.Entry {
		if len(e.Resource) <= keys.MaxPlaintext {
			plain = append(plain, e.Resource)
			items = append(items, keys.BatchItem{Encrypt: &keys.EncryptRequest{Key: key.ID, Plaintext: e.Resource, Context: patient}})
		}
	}
	if len(items) == 0 {
		t.Fatal("no resource is small enough to encrypt directly")
	}
	encrypted, err := km.Batch(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	dataKey, err := km.GenerateDataKey(t.Context(), keys.DataKeyRequest{Key: key.ID, Context: patient})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := local(t, dataKey.Plaintext).Encrypt(patient, document)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := km.RotateKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	sound(t, system)

	system = open(t, s, seals)
	defer sound(t, system)
	km = system.KeyManager()
	for i := range encrypted {
		got, err := km.Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: encrypted[i].Encrypt.Ciphertext, Context: patient})
		if err != nil || !bytes.Equal(got.Plaintext, plain[i]) {
			t.Fatalf("resource %d does not come back: %v", i, err)
		}
		if _, err := km.Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: encrypted[i].Encrypt.Ciphertext}); err == nil {
			t.Fatalf("resource %d comes back without its context", i)
		}
	}
	again, err := km.Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: dataKey.Ciphertext, Context: patient})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := local(t, again.Plaintext).Decrypt(patient, whole); err != nil || !bytes.Equal(got, document) {
		t.Fatalf("the document does not come back: %v", err)
	}
}

// local is a data key in a client's hands.
func local(t *testing.T, plaintext []byte) *crypt.Key {
	t.Helper()
	k, err := crypt.NewKey([16]byte{1}, 1, secret.New(bytes.Clone(plaintext)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
