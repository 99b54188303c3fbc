package gate_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

// TestNoRightTellsNothing: who has no right to a key is answered the same, word for word but for
// the decision's number, whether the key, its alias or its version exists or not. Who has the right
// to every key is told that there is none.
func TestNoRightTellsNothing(t *testing.T) {
	w := gatetest.New(t)
	km := w.KeyManager()
	k, err := km.CreateKey(background, keys.CreateRequest{Purpose: "Patient data encryption", Type: keys.Data, Alias: "alias/there"})
	if err != nil {
		t.Fatal(err)
	}
	real, err := km.Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := w.Principal("clerk", false)
	clerk := w.System.As(id).KeyManager()
	absent := "00" + k.ID[2:]
	existing := []string{k.ID, k.ARN, k.Alias, k.ID + "@1", k.Alias + "@1"}
	missing := []string{absent, strings.Replace(k.ARN, k.ID, absent, 1), "alias/absent", k.ID + "@7", k.Alias + "@7"}
	refs := append(existing, missing...)
	ciphertexts := map[string][]byte{}
	for _, ref := range refs {
		ciphertexts[ref] = real.Ciphertext
	}
	here, _ := gate.ParseID(k.ID)
	elsewhere := bytes.Replace(real.Ciphertext, here[:], make([]byte, len(here)), 1) // of a key that is not here
	if bytes.Equal(elsewhere, real.Ciphertext) {
		t.Fatal("the ciphertext does not name its key")
	}
	for _, ref := range missing {
		ciphertexts[ref] = elsewhere
	}
	for name, ask := range map[string]func(key string) error{
		"describe-key": func(key string) error { _, err := clerk.DescribeKey(background, key); return err },
		"rotate-key":   func(key string) error { _, err := clerk.RotateKey(background, key); return err },
		"encrypt": func(key string) error {
			_, err := clerk.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: []byte("x")})
			return err
		},
		"decrypt unnamed": func(key string) error {
			_, err := clerk.Decrypt(background, keys.DecryptRequest{Ciphertext: ciphertexts[key]})
			return err
		},
		"decrypt": func(key string) error {
			_, err := clerk.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: real.Ciphertext})
			return err
		},
	} {
		answers := map[string]string{}
		for _, ref := range refs {
			err := ask(ref)
			var refused *gate.Error
			if !errors.As(err, &refused) || refused.Code != gate.AccessDenied || !refused.Key.IsZero() || refused.Reason != "" {
				t.Fatalf("%s %s: %v", name, ref, err)
			}
			answers[strings.ReplaceAll(refused.Detail, refused.Decision.String(), "ID")] = ref
		}
		if len(answers) != 1 {
			t.Errorf("%s: %d different answers: %q", name, len(answers), answers)
		}
	}
	for _, ref := range missing {
		if _, err := km.DescribeKey(background, ref); !errors.Is(err, gate.NotFound) {
			t.Errorf("the administrator was told of %s: %v", ref, err)
		}
	}
}

// TestDamageIsToldToWhoMay: who has no right to a key is not told that its items are not what Haven
// wrote; the refusal is as for any other key. Who may use that one key is told of its versions.
func TestDamageIsToldToWhoMay(t *testing.T) {
	a := newAttacked(t)
	id, _ := a.Principal("clerk", false)
	doc, err := a.KeyManager().DescribeKey(background, a.key)
	a.must(err)
	nurse, err := a.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "nurse"})
	a.must(err)
	_, err = a.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: "one-key", Principal: "nurse", Document: `{"Version":"2012-10-17",
		"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"` + doc.ARN + `"}}`})
	a.must(err)
	for what, ref := range map[string]store.Ref{"key": a.keyRef(), "version": a.versionRef(1)} {
		for _, altered := range []bool{true, false} {
			a.store.instead[ref] = nil // missing
			if altered {
				item := a.item(ref)
				item.Body = append(item.Body, ' ')
				a.store.instead[ref] = &item
			}
			a.Reopen() // so that nothing is cached
			clerk := a.System.As(id).KeyManager()
			if _, err := clerk.Decrypt(background, keys.DecryptRequest{Key: a.key, Ciphertext: a.ciphertext}); !errors.Is(err, gate.AccessDenied) {
				t.Errorf("%s, altered %v: the clerk was answered %v", what, altered, err)
			}
			one := a.System.As(nurse.ID).KeyManager()
			if _, err := one.Decrypt(background, keys.DecryptRequest{Key: a.key, Ciphertext: a.ciphertext}); what == "version" && !errors.Is(err, gate.Tampered) {
				t.Errorf("altered %v: who may use this key alone was answered %v", altered, err)
			}
			want := gate.Tampered
			if what == "key" && !altered {
				want = gate.InvalidCiphertext // as of a key that never was; a check finds it
			}
			if err := a.decrypt(); !errors.Is(err, want) {
				t.Errorf("%s, altered %v: the administrator was answered %v", what, altered, err)
			}
			delete(a.store.instead, ref)
		}
	}
}
