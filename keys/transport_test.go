package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
)

// contextOf is an encryption context of one name.
func (f *finder) contextOf(name, value string) keys.Context {
	f.t.Helper()
	c, err := keys.ContextOf(map[string]string{name: value})
	f.ok(err)
	return c
}

func (f *finder) decryptsRSA(key string, ciphertext []byte, version uint32) {
	f.t.Helper()
	a, err := f.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: ciphertext})
	f.ok(err)
	if !bytes.Equal(a.Plaintext, message) || a.Version != version {
		f.t.Errorf("%s decrypts to version %d's %q", key, a.Version, a.Plaintext)
	}
}

// TestRSA: its ciphertexts name nothing, so that a bare key tries its versions; no context, and no
// key of the wrong size, slips through.
func TestRSA(t *testing.T) {
	f := newFinder(t)
	key := f.of(rsaKey)
	sealed, err := f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: message})
	f.ok(err)
	f.rotate(key)
	f.decryptsRSA(key, sealed.Ciphertext, 1)
	f.decryptsRSA(key+"@1", sealed.Ciphertext, 1)

	_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: key + "@2", Ciphertext: sealed.Ciphertext})
	f.refused(err, gate.InvalidCiphertext)
	_, err = f.km.Decrypt(background, keys.DecryptRequest{Ciphertext: sealed.Ciphertext})
	f.refused(err, gate.InvalidCiphertext)
	for _, altered := range [][]byte{{}, sealed.Ciphertext[1:], append(sealed.Ciphertext, 0), make([]byte, 256), bytes.Repeat([]byte{0xff}, 256)} {
		_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: altered})
		f.refused(err, gate.InvalidCiphertext)
	}

	some := f.contextOf("patient", "17")
	_, err = f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: message, Context: some})
	f.refused(err, gate.InvalidRequest)
	_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: sealed.Ciphertext, Context: some})
	f.refused(err, gate.InvalidRequest)

	longest := 2048/8 - 2*32 - 2 // of OAEP with SHA-256
	_, err = f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: make([]byte, longest)})
	f.ok(err)
	_, err = f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: make([]byte, longest+1)})
	f.refused(err, gate.InvalidRequest)
	_, err = f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: message, Algorithm: crypt.FormatV1})
	f.refused(err, gate.InvalidKeyUsage)
	_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: sealed.Ciphertext, Algorithm: crypt.PSSWithSHA256})
	f.refused(err, gate.InvalidKeyUsage)

	// A version that may not be asked is told and not blamed: the answer is the same to its own
	// ciphertext and to any other that fits nothing.
	f.compromise(key + "@1")
	for _, ciphertext := range [][]byte{sealed.Ciphertext, make([]byte, 256)} {
		_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: ciphertext})
		var refused *gate.Error
		if !errors.As(err, &refused) || refused.Code != gate.InvalidCiphertext || refused.Reason != "incomplete" ||
			!strings.Contains(refused.Detail, "version 1 (compromised)") || strings.Contains(refused.Detail, "context") {
			t.Errorf("answered %+v", err)
		}
	}
	f.rotate(key)
	now, err := f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: message})
	f.ok(err)
	f.decryptsRSA(key, now.Ciphertext, 3)
	_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: key + "@1", Ciphertext: sealed.Ciphertext})
	f.because(err, lifecycle.ReasonCompromised)
}

// TestOldSecrets: agreement and decapsulation by an old version, named, give what they gave; by
// another version they give something else, and no error.
func TestOldSecrets(t *testing.T) {
	f := newFinder(t)
	key, peer := f.of(party), f.of(party)
	shared, err := f.agree(key, peer)
	f.ok(err)
	k := f.of(kem)
	made, err := f.km.Encapsulate(background, keys.EncapsulateRequest{Key: k})
	f.ok(err)
	f.rotate(key)
	f.rotate(k)
	for version, same := range map[int]bool{1: true, 2: false} {
		again, err := f.agree(fmt.Sprintf("%s@%d", key, version), peer)
		f.ok(err)
		opened, err := f.km.Decapsulate(background, keys.DecapsulateRequest{Key: fmt.Sprintf("%s@%d", k, version), Ciphertext: made.Ciphertext})
		f.ok(err)
		if bytes.Equal(again, shared) != same || bytes.Equal(opened.SharedSecret, made.SharedSecret) != same {
			t.Errorf("version %d: the same secrets: want %v", version, same)
		}
	}
	altered := bytes.Clone(made.Ciphertext)
	altered[0] ^= 1
	opened, err := f.km.Decapsulate(background, keys.DecapsulateRequest{Key: k + "@1", Ciphertext: altered})
	f.ok(err)
	if bytes.Equal(opened.SharedSecret, made.SharedSecret) {
		t.Error("an altered ciphertext gives the same secret")
	}
	_, err = f.km.Decapsulate(background, keys.DecapsulateRequest{Key: k + "@2", Ciphertext: altered[1:]})
	f.refused(err, gate.InvalidCiphertext)
	// Without a version nothing would show that the primary's secret is another.
	_, err = f.km.Decapsulate(background, keys.DecapsulateRequest{Key: k, Ciphertext: made.Ciphertext})
	f.refused(err, gate.InvalidRequest)
	if err == nil || !strings.Contains(err.Error(), "KEY@N") {
		t.Errorf("answered %v", err)
	}
	_, err = f.agree(key, peer)
	f.refused(err, gate.InvalidRequest)

	other, err := f.km.GetPublicKey(background, f.of(signer)) // the same curve, another usage: the same DER
	f.ok(err)
	_, err = f.km.DeriveSharedSecret(background, keys.AgreeRequest{Key: key + "@2", PublicKey: other.PublicKey})
	f.ok(err)
	p384 := f.make(keys.CreateRequest{Type: keys.Transport, Spec: crypt.P384, Usage: crypt.KeyAgreement})
	other, err = f.km.GetPublicKey(background, p384.ID)
	f.ok(err)
	for _, wrong := range [][]byte{nil, []byte("x"), other.PublicKey, append(bytes.Clone(other.PublicKey), 0)} {
		_, err = f.km.DeriveSharedSecret(background, keys.AgreeRequest{Key: key + "@2", PublicKey: wrong})
		f.refused(err, gate.InvalidRequest)
	}
}

// sealing tells whether there is HPKE here: a FIPS 140-3 module may be older.
func sealing() bool { return crypt.Supported(receiver.Spec, receiver.Usage) == nil }

// TestSealedMessages: they open by the version that they name, for their context, and with no other
// key.
func TestSealedMessages(t *testing.T) {
	f := newFinder(t)
	if !sealing() {
		_, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "a test", Type: receiver.Type, Spec: receiver.Spec})
		f.refused(err, gate.Unsupported)
		return
	}
	key, some := f.of(receiver), f.contextOf("patient", "17")
	sealed, err := f.km.HPKESeal(background, keys.SealRequest{Key: key, Plaintext: message, Context: some})
	f.ok(err)
	f.rotate(key)
	opened, err := f.km.HPKEOpen(background, keys.OpenRequest{Ciphertext: sealed.Ciphertext, Context: some})
	f.ok(err)
	if !bytes.Equal(opened.Plaintext, message) || opened.Version != 1 {
		t.Errorf("%+v", opened)
	}
	altered := bytes.Clone(sealed.Ciphertext)
	altered[len(altered)-1] ^= 1
	for _, req := range []keys.OpenRequest{
		{Ciphertext: sealed.Ciphertext}, {Ciphertext: altered, Context: some}, {Ciphertext: altered[:80], Context: some}, {},
	} {
		_, err = f.km.HPKEOpen(background, req)
		f.refused(err, gate.InvalidCiphertext)
	}
	for _, wrong := range []string{key + "@2", f.of(receiver)} {
		_, err = f.km.HPKEOpen(background, keys.OpenRequest{Key: wrong, Ciphertext: sealed.Ciphertext, Context: some})
		f.refused(err, gate.IncorrectKey)
	}
	for _, length := range []int{0, keys.MaxSealed + 1} {
		_, err = f.km.HPKESeal(background, keys.SealRequest{Key: key, Plaintext: make([]byte, length)})
		f.refused(err, gate.InvalidRequest)
	}
	_, err = f.km.HPKESeal(background, keys.SealRequest{Key: key, Plaintext: make([]byte, keys.MaxSealed)})
	f.ok(err)
	f.compromise(key + "@1")
	_, err = f.km.HPKEOpen(background, keys.OpenRequest{Ciphertext: sealed.Ciphertext, Context: some})
	f.because(err, lifecycle.ReasonCompromised)
}

// TestReEncryptNeedsBoth: what stops either key stops it, and the record names both.
func TestReEncryptNeedsBoth(t *testing.T) {
	f := newFinder(t)
	from, to := f.of(dataKey), f.of(dataKey)
	some, other := f.contextOf("patient", "17"), f.contextOf("patient", "18")
	sealed, err := f.km.Encrypt(background, keys.EncryptRequest{Key: from, Plaintext: message, Context: some})
	f.ok(err)
	f.rotate(from)
	ask := keys.ReEncryptRequest{Ciphertext: sealed.Ciphertext, SourceContext: some, Key: to, Context: other}
	for _, stopped := range []string{from, to} {
		_, err = f.km.DisableKey(background, stopped)
		f.ok(err)
		position := f.Position()
		_, err = f.km.ReEncrypt(background, ask)
		f.because(err, lifecycle.ReasonDisabled)
		if e := f.Records(position); len(e) != 1 || e[0].Operation != gate.ReEncrypt.Number || e[0].Error != uint16(gate.InvalidState) {
			t.Errorf("records %+v", e)
		}
		_, err = f.km.EnableKey(background, stopped)
		f.ok(err)
	}
	moved, err := f.km.ReEncrypt(background, ask)
	f.ok(err)
	opened, err := f.km.Decrypt(background, keys.DecryptRequest{Ciphertext: moved.Ciphertext, Context: other})
	f.ok(err)
	if !bytes.Equal(opened.Plaintext, message) || moved.SourceVersion != 1 || moved.KeyID.String() != to {
		t.Errorf("%+v", moved)
	}
	own, err := f.km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: sealed.Ciphertext, SourceContext: some, Key: from, Context: some})
	f.ok(err)
	if own.Version != 2 || own.SourceVersion != 1 {
		t.Errorf("under its own key: %+v", own)
	}
	ask.SourceContext = other
	_, err = f.km.ReEncrypt(background, ask)
	f.refused(err, gate.InvalidCiphertext)
	ask.SourceContext, ask.SourceKey = some, to
	_, err = f.km.ReEncrypt(background, ask)
	f.refused(err, gate.IncorrectKey)
}

// TestAnotherKeyWithFewerVersions: a ciphertext's version is of its own key, not of another that is
// named, which may have none of that number.
func TestAnotherKeyWithFewerVersions(t *testing.T) {
	f := newFinder(t)
	key, other := f.of(dataKey), f.of(dataKey)
	f.rotate(key)
	f.rotate(key)
	encrypted, err := f.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: message})
	f.ok(err)
	_, err = f.km.Decrypt(background, keys.DecryptRequest{Key: other, Ciphertext: encrypted.Ciphertext})
	f.refused(err, gate.IncorrectKey)
	_, err = f.km.ReEncrypt(background, keys.ReEncryptRequest{SourceKey: other, Ciphertext: encrypted.Ciphertext, Key: key})
	f.refused(err, gate.IncorrectKey)
	opened, err := f.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: encrypted.Ciphertext})
	f.ok(err)
	if opened.Version != 3 {
		t.Errorf("version %d", opened.Version)
	}
	if !sealing() {
		return
	}
	to := f.of(receiver)
	f.rotate(to)
	sealed, err := f.km.HPKESeal(background, keys.SealRequest{Key: to, Plaintext: message})
	f.ok(err)
	_, err = f.km.HPKEOpen(background, keys.OpenRequest{Key: f.of(receiver), Ciphertext: sealed.Ciphertext})
	f.refused(err, gate.IncorrectKey)
}
