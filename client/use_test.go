package client_test

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/haventest"
)

// These tests call a real server with each method that uses signing and transport keys.

// create makes a key of a type and a spec, its usage being the first of the spec's.
func create(t *testing.T, s *haventest.Server, kind client.KeyType, spec string) string {
	t.Helper()
	key, err := s.Client.CreateKey(t.Context(), client.CreateKeyRequest{Purpose: "a test", Type: kind, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return key.KeyID
}

// must returns what a call answered, or ends the test.
func must[Answer any](answer Answer, err error) func(*testing.T) Answer {
	return func(t *testing.T) Answer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

var letter = client.Sensitive("penicillin: anaphylaxis")

func TestSigning(t *testing.T) {
	s := haventest.New(t, haventest.InMemory())
	key := create(t, s, client.Signing, "ECC_NIST_P256")
	signed := must(s.Client.Sign(t.Context(), client.SignRequest{Key: key, Message: letter}))(t)
	if signed.Algorithm != "ECDSA_SHA_256" || signed.KeyID != key || signed.Version != 1 {
		t.Errorf("%+v", signed)
	}
	s.MustRotateKey(key)
	digest := must(client.Digest(signed.Algorithm, bytes.NewReader(letter)))(t)
	for _, req := range []client.VerifyRequest{
		{Key: key, Message: letter, Signature: signed.Signature},
		{Key: key, Digest: digest, Signature: signed.Signature, Algorithm: signed.Algorithm},
		{Key: key + "@1", Message: letter, Signature: signed.Signature},
	} {
		if v := must(s.Client.Verify(t.Context(), req))(t); *v != (client.Verified{Valid: true, KeyID: key, Version: 1}) {
			t.Errorf("%+v", v)
		}
	}
	v := must(s.Client.Verify(t.Context(), client.VerifyRequest{Key: key + "@2", Message: letter, Signature: signed.Signature}))(t)
	if *v != (client.Verified{KeyID: key, Version: 2}) {
		t.Errorf("%+v", v)
	}

	// Who has the public key needs no server.
	public := must(s.Client.GetPublicKey(t.Context(), key+"@1"))(t)
	holder := x509.Certificate{PublicKey: must(x509.ParsePKIXPublicKey(public.PublicKey))(t)}
	if err := holder.CheckSignature(x509.ECDSAWithSHA256, letter, signed.Signature); err != nil {
		t.Errorf("by the public key: %v", err)
	}
	if fmt.Sprintf("%x", sha256.Sum256(public.PublicKey)) != public.Fingerprint || !strings.Contains(string(public.JWK), "P-256") ||
		public.PEM == "" || public.Thumbprint == "" || public.State != client.Rotating || public.KeyUsage != "SIGN_VERIFY" {
		t.Errorf("%+v", public)
	}

	if _, err := s.Client.MarkCompromised(t.Context(), client.MarkCompromisedRequest{Key: key + "@1", Reason: "lost"}); err != nil {
		t.Fatal(err)
	}
	v = must(s.Client.Verify(t.Context(), client.VerifyRequest{Key: key, Message: letter, Signature: signed.Signature}))(t)
	if *v != (client.Verified{KeyID: key, Version: 1, Reason: client.ReasonCompromised}) {
		t.Errorf("%+v", v)
	}
	if _, err := s.Client.Sign(t.Context(), client.SignRequest{Key: key, Message: letter, Digest: digest}); !errors.Is(err, client.InvalidRequest) {
		t.Errorf("two forms of message: %v", err)
	}
	if _, err := s.Client.GenerateMAC(t.Context(), client.GenerateMACRequest{Key: key, Message: letter}); !errors.Is(err, client.InvalidKeyUsage) {
		t.Errorf("a MAC by a signing key: %v", err)
	}
}

// TestDigest: what Digest makes is what the algorithm hashes, and some hash nothing.
func TestDigest(t *testing.T) {
	sum := sha256.Sum256(letter)
	for _, algorithm := range []string{"ECDSA_SHA_256", "RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_256"} {
		if got := must(client.Digest(algorithm, bytes.NewReader(letter)))(t); !bytes.Equal(got, sum[:]) {
			t.Errorf("%s: %x", algorithm, got)
		}
	}
	if got := must(client.Digest("ED25519_PH_SHA_512", bytes.NewReader(letter)))(t); len(got) != 64 {
		t.Errorf("%x", got)
	}
	for _, algorithm := range []string{"", "ED25519_SHA_512", "ML_DSA_SHAKE_256", "HMAC_SHA_256", "RSAES_OAEP_SHA_256", "ECDSA"} {
		if _, err := client.Digest(algorithm, bytes.NewReader(letter)); !errors.Is(err, client.ErrNoDigest) {
			t.Errorf("%q: %v", algorithm, err)
		}
	}
	if _, err := client.Digest("ECDSA_SHA_256", broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// TestExternalMu: what is signed by µ is the message's signature, and only an ML-DSA key has one.
func TestExternalMu(t *testing.T) {
	s := haventest.New(t, haventest.InMemory())
	other := must(s.Client.CreateKey(t.Context(), client.CreateKeyRequest{Purpose: "Lists", Type: client.Signing}))(t)
	public := must(s.Client.GetPublicKey(t.Context(), other.KeyID))(t)
	if _, err := client.ExternalMu(public, bytes.NewReader(letter)); !errors.Is(err, client.Unsupported) {
		t.Errorf("of an EC key: %v", err)
	}
	key, err := s.Client.CreateKey(t.Context(), client.CreateKeyRequest{Purpose: "Letters", Type: client.Signing, Spec: "ML_DSA_65"})
	if fips140.Enabled() {
		if !errors.Is(err, client.Unsupported) {
			t.Errorf("in FIPS 140-3 mode: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	public = must(s.Client.GetPublicKey(t.Context(), key.KeyID))(t)
	mu := must(client.ExternalMu(public, bytes.NewReader(letter)))(t)
	signed := must(s.Client.Sign(t.Context(), client.SignRequest{Key: key.KeyID, ExternalMu: mu}))(t)
	verified := must(s.Client.Verify(t.Context(), client.VerifyRequest{Key: key.KeyID, Message: letter, Signature: signed.Signature}))(t)
	if !verified.Valid {
		t.Error("the message's signature by µ is not valid")
	}
	if _, err := client.ExternalMu(public, broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestMAC(t *testing.T) {
	s := haventest.New(t, haventest.InMemory())
	key := create(t, s, client.Signing, "HMAC_384")
	made := must(s.Client.GenerateMAC(t.Context(), client.GenerateMACRequest{Key: key, Message: letter}))(t)
	if len(made.MAC) != 48 || made.Algorithm != "HMAC_SHA_384" {
		t.Errorf("%+v", made)
	}
	s.MustRotateKey(key)
	ask := client.VerifyMACRequest{Key: key, Message: letter, MAC: made.MAC}
	if v := must(s.Client.VerifyMAC(t.Context(), ask))(t); *v != (client.Verified{Valid: true, KeyID: key, Version: 1}) {
		t.Errorf("%+v", v)
	}
	ask.Message = letter[1:]
	if v := must(s.Client.VerifyMAC(t.Context(), ask))(t); *v != (client.Verified{KeyID: key, Version: 2}) {
		t.Errorf("%+v", v)
	}
}

func TestSharedSecrets(t *testing.T) {
	s := haventest.New(t, haventest.InMemory())
	here, there := create(t, s, client.Transport, "ECC_NIST_P256"), create(t, s, client.Transport, "ECC_NIST_P256")
	agree := func(key, with string) client.Sensitive {
		public := must(s.Client.GetPublicKey(t.Context(), with))(t)
		return must(s.Client.DeriveSharedSecret(t.Context(), client.DeriveSharedSecretRequest{Key: key, PublicKey: public.PublicKey}))(t).SharedSecret
	}
	one := agree(here, there)
	if other := agree(there, here); len(one) != 32 || !bytes.Equal(one, other) {
		t.Error("the two sides agreed on different secrets")
	}
	if text := fmt.Sprintf("%v %x", one, one); strings.ContainsAny(text, "0123456789") {
		t.Errorf("a secret prints: %s", text)
	}

	key := create(t, s, client.Transport, "ML_KEM_768")
	made := must(s.Client.Encapsulate(t.Context(), client.EncapsulateRequest{Key: key}))(t)
	s.MustRotateKey(key)
	open := func(key string) client.Sensitive {
		return must(s.Client.Decapsulate(t.Context(), client.DecapsulateRequest{Key: key, Ciphertext: made.Ciphertext}))(t).SharedSecret
	}
	if got := open(key + "@1"); len(got) != 32 || !bytes.Equal(got, made.SharedSecret) {
		t.Error("the version that encapsulated gives another secret")
	}
	if _, err := s.Client.Decapsulate(t.Context(), client.DecapsulateRequest{Key: key, Ciphertext: made.Ciphertext}); !errors.Is(err, client.InvalidRequest) {
		t.Errorf("a key of two versions, none named: %v", err)
	}
	if bytes.Equal(open(key+"@2"), made.SharedSecret) {
		t.Error("another version gives the same secret")
	}
}

func TestSealing(t *testing.T) {
	s := haventest.New(t, haventest.InMemory())
	key := create(t, s, client.Transport, "HPKE_MLKEM768_P256")
	patient := map[string]string{"patient": "7c1e"}
	sealed := must(s.Client.HPKESeal(t.Context(), client.HPKESealRequest{Key: key, Plaintext: letter, Context: patient}))(t)
	s.MustRotateKey(key)
	opened := must(s.Client.HPKEOpen(t.Context(), client.HPKEOpenRequest{Ciphertext: sealed.Ciphertext, Context: patient}))(t)
	if !bytes.Equal(opened.Plaintext, letter) || opened.KeyID != key || opened.Version != 1 {
		t.Errorf("%+v", opened)
	}
	if _, err := s.Client.HPKEOpen(t.Context(), client.HPKEOpenRequest{Ciphertext: sealed.Ciphertext}); !errors.Is(err, client.InvalidCiphertext) {
		t.Errorf("without its context: %v", err)
	}
	other := create(t, s, client.Transport, "HPKE_MLKEM768_P256")
	if _, err := s.Client.HPKEOpen(t.Context(), client.HPKEOpenRequest{Ciphertext: sealed.Ciphertext, Context: patient, Key: other}); !errors.Is(err, client.IncorrectKey) {
		t.Errorf("with another key: %v", err)
	}
}

func TestReEncryptAndPairs(t *testing.T) {
	s := haventest.New(t, haventest.InMemory())
	key := s.MustCreateKey("Patient data").KeyID
	rsa := create(t, s, client.Transport, "RSA_2048")
	patient := map[string]string{"patient": "7c1e"}
	old := s.MustEncrypt(key, letter, patient)
	s.MustRotateKey(key)
	moved := must(s.Client.ReEncrypt(t.Context(), client.ReEncryptRequest{Ciphertext: old, SourceContext: patient, Key: rsa, Algorithm: "RSAES_OAEP_SHA_1"}))(t)
	if moved.SourceKeyID != key || moved.SourceVersion != 1 || moved.KeyID != rsa || moved.Algorithm != "RSAES_OAEP_SHA_1" {
		t.Errorf("%+v", moved)
	}
	back := must(s.Client.ReEncrypt(t.Context(), client.ReEncryptRequest{
		Ciphertext: moved.Ciphertext, SourceKey: rsa, SourceAlgorithm: "RSAES_OAEP_SHA_1", Key: key, Context: patient,
	}))(t)
	if back.Version != 2 || string(s.MustDecrypt(back.Ciphertext, patient)) != string(letter) {
		t.Errorf("%+v", back)
	}
	direct := must(s.Client.Encrypt(t.Context(), client.EncryptRequest{Key: rsa, Plaintext: letter}))(t)
	opened := must(s.Client.Decrypt(t.Context(), client.DecryptRequest{Key: rsa, Ciphertext: direct.Ciphertext, Algorithm: direct.Algorithm}))(t)
	if direct.Algorithm != "RSAES_OAEP_SHA_256" || !bytes.Equal(opened.Plaintext, letter) {
		t.Errorf("%+v", direct)
	}

	pair := must(s.Client.GenerateDataKeyPair(t.Context(), client.GenerateDataKeyPairRequest{Key: key, KeyPairSpec: "ECC_NIST_P256", Context: patient}))(t)
	private := must(x509.ParsePKCS8PrivateKey(pair.PrivateKeyPlaintext))(t).(crypto.Signer)
	public := must(x509.MarshalPKIXPublicKey(private.Public()))(t)
	if !bytes.Equal(public, pair.PublicKey) || !bytes.Equal(s.MustDecrypt(pair.PrivateKeyCiphertext, patient), pair.PrivateKeyPlaintext) {
		t.Error("the halves are not of one pair")
	}
	pair = must(s.Client.GenerateDataKeyPair(t.Context(), client.GenerateDataKeyPairRequest{Key: key, KeyPairSpec: "ECC_NIST_P256", Plaintext: new(bool)}))(t)
	if pair.PrivateKeyPlaintext != nil || len(pair.PrivateKeyCiphertext) == 0 {
		t.Error("the plain private key was answered unasked")
	}
}
