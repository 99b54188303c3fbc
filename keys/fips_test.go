package keys_test

import (
	"crypto/fips140"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/fipstest"
	"github.com/haven-health/haven/keys"
)

// TestUnderFIPS walks the kinds and some random sequences in a process where only what FIPS 140-3
// approves works: they do every operation on every state of a key. The closure adds nothing there; make
// fips runs all the others too.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	fipstest.Run(t, "only", []string{"HAVEN_SEQUENCES=50"}, "-test.run=^(TestSequences|TestKinds)$")
}

// TestKeysMadeElsewhere: a store whose keys were made without FIPS 140-3 mode is opened in it. What
// it does not approve answers unsupported, in every operation, and nothing panics; the rest goes on.
func TestKeysMadeElsewhere(t *testing.T) {
	if fips140.Enforced() {
		if dir := os.Getenv("HAVEN_TEST_STORE"); dir != "" {
			useUnderFIPS(t, dir)
		}
		return
	}
	dir := t.TempDir()
	r, end := openFolder(t, dir)
	sealed := map[string][]byte{}
	for _, kind := range keys.Kinds() {
		if kind.Spec == crypt.RSA3072 || kind.Spec == crypt.RSA4096 { // seconds each, and RSA_2048 is there
			continue
		}
		made, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "a test", Type: kind.Type, Spec: kind.Spec, Usage: kind.Usage})
		if err != nil {
			t.Fatal(err)
		}
		if kind.Usage == crypt.SealOpen {
			s, err := r.km.HPKESeal(background, keys.SealRequest{Key: made.ID, Plaintext: message})
			if err != nil {
				t.Fatal(err)
			}
			sealed[made.ID] = s.Ciphertext
		}
	}
	for id, ciphertext := range sealed {
		if err := os.WriteFile(filepath.Join(dir, id+".sealed"), ciphertext, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	end()
	fipstest.Run(t, "only", []string{"HAVEN_TEST_STORE=" + dir}, "-test.run=^TestKeysMadeElsewhere$")
}

// openFolder opens the store in a folder; end closes it.
func openFolder(t *testing.T, dir string) (r *rig, end func()) {
	t.Helper()
	s, err := haven.Open(t.Context(), haven.Config{DataDir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{World: &gatetest.World{TB: t, System: s}, km: s.KeyManager()}, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func useUnderFIPS(t *testing.T, dir string) {
	r, end := openFolder(t, dir)
	defer end()
	refused := 0
	page, err := r.km.ListKeys(background, keys.ListRequest{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range page.Keys {
		kind := keys.Kind{Type: key.Type, Spec: key.Spec, Usage: key.Usage}
		if crypt.Supported(kind.Spec, kind.Usage) == nil {
			r.everyOperation(&key, kind)
			continue
		}
		refused++
		for what, err := range r.unapproved(dir, &key) {
			if !errors.Is(err, gate.Unsupported) {
				t.Errorf("%s with %s: %v", what, key.Spec, err)
			}
		}
	}
	if refused < 4 {
		t.Errorf("%d keys are unapproved: nothing was tested", refused)
	}
	rsa, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "a test", Type: keys.Transport, Spec: crypt.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.km.Encrypt(background, keys.EncryptRequest{Key: rsa.ID, Plaintext: message, Algorithm: crypt.OAEPWithSHA1}); !errors.Is(err, gate.Unsupported) {
		t.Errorf("OAEP with SHA-1: %v", err)
	}
}

// unapproved does what keys of the unapproved kinds do: sign and verify, seal and open.
func (r *rig) unapproved(dir string, key *keys.Key) map[string]error {
	out := map[string]error{}
	_, out["get-public-key"] = r.km.GetPublicKey(background, key.ID)
	_, out["rotate-key"] = r.km.RotateKey(background, key.ID)
	if key.Usage == crypt.SignVerify {
		_, out["sign"] = r.km.Sign(background, keys.SignRequest{Key: key.ID, Message: message})
		_, out["verify"] = r.km.Verify(background, keys.VerifyRequest{Key: key.ID, Message: message, Signature: message})
		return out
	}
	sealed, err := os.ReadFile(filepath.Join(dir, key.ID+".sealed"))
	if err != nil {
		r.Fatal(err)
	}
	_, out["hpke-seal"] = r.km.HPKESeal(background, keys.SealRequest{Key: key.ID, Plaintext: message})
	_, out["hpke-open"] = r.km.HPKEOpen(background, keys.OpenRequest{Ciphertext: sealed})
	return out
}
