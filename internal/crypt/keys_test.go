package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/crypt"
)

// withExponent returns k with another public exponent, or an empty key when its primes do not have
// one.
func withExponent(k *rsa.PrivateKey, e int) *rsa.PrivateKey {
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(k.Primes[0], one), new(big.Int).Sub(k.Primes[1], one))
	d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi)
	if d == nil {
		return &rsa.PrivateKey{}
	}
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: k.N, E: e}, D: d, Primes: k.Primes}
}

// TestGenerateMaterial makes two keys of every spec: they differ, open, and have the lengths of
// the samples where those are fixed.
func TestGenerateMaterial(t *testing.T) {
	for _, row := range crypt.Table().Specs {
		if !row.FIPS.AllowedHere() {
			continue
		}
		v := sampleOf(t, row.Spec)
		m := must(crypt.GenerateMaterial(row.Spec, rand.Reader))(t)
		value, err := crypt.CheckValue(row.Spec, m)
		if err != nil || value == v.CheckValue || len(value) != len(v.CheckValue) {
			t.Errorf("%s: %q, %v", row.Spec, value, err)
		}
		if row.Material != "PKCS #8, DER" && m.Len() != len(v.Material) {
			t.Errorf("%s: %d bytes", row.Spec, m.Len())
		}
	}
}

// TestGenerateMaterialWithoutRandomness: the specs whose bytes or seeds are drawn from the reader.
func TestGenerateMaterialWithoutRandomness(t *testing.T) {
	for _, s := range []crypt.Spec{crypt.SymmetricDefault, crypt.HMAC512, crypt.Ed25519, crypt.MLDSA65} {
		_, err := crypt.GenerateMaterial(s, iotest.ErrReader(io.ErrClosedPipe))
		if !errors.Is(err, io.ErrClosedPipe) && !(fips140.Enabled() && err == crypt.ErrUnsupported) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// TestPublicKeysAltered: each byte of an encoded public key altered, or one more or less, gives the
// one error, or another key whose encoding is just those bytes.
func TestPublicKeysAltered(t *testing.T) {
	n := 0
	for _, row := range crypt.Table().Specs {
		v := sampleOf(t, row.Spec)
		if v.PublicKey == nil || !row.FIPS.AllowedHere() {
			continue
		}
		n++
		for i := 0; i < len(v.PublicKey); i += 1 + len(v.PublicKey)/200 {
			bad := bytes.Clone(v.PublicKey)
			bad[i] ^= 1 << (i % 8)
			if p, err := crypt.ParsePublicKey(v.Spec, bad); err == nil && !bytes.Equal(p.Bytes(), bad) || err != nil && err != crypt.ErrPublicKey {
				t.Errorf("%s, byte %d altered: %v", v.Spec, i, err)
			}
		}
		for what, b := range spoilt(v.PublicKey) {
			if _, err := crypt.ParsePublicKey(v.Spec, b); err != crypt.ErrPublicKey {
				t.Errorf("%s, %s: %v", v.Spec, what, err)
			}
		}
		if _, err := crypt.ParsePublicKey(v.Spec, make([]byte, crypt.MaxPublicKey+1)); err != crypt.ErrPublicKey {
			t.Errorf("%s, too long: %v", v.Spec, err)
		}
		p := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
		b, err := p.PEM()
		if block, _ := pem.Decode(b); err != crypt.ErrEncoding && (err != nil || block.Type != "PUBLIC KEY" || !bytes.Equal(block.Bytes, v.PublicKey)) {
			t.Errorf("%s: PEM %s, %v", v.Spec, b, err)
		}
	}
	if n == 0 {
		t.Error("no public keys")
	}
}

// TestPublicKeyWithMore: the standard library ignores what follows the exponent; here it is refused.
func TestPublicKeyWithMore(t *testing.T) {
	v := sampleOf(t, crypt.RSA2048)
	var whole struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	var key struct{ N, E *big.Int }
	if _, err := asn1.Unmarshal(v.PublicKey, &whole); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(whole.Key.Bytes, &key); err != nil {
		t.Fatal(err)
	}
	inner := must(asn1.Marshal(struct{ N, E, More *big.Int }{key.N, key.E, key.E}))(t)
	whole.Key = asn1.BitString{Bytes: inner, BitLength: 8 * len(inner)}
	b := must(asn1.Marshal(whole))(t)
	if _, err := x509.ParsePKIXPublicKey(b); err != nil {
		t.Fatalf("not even the library takes it, so it proves nothing: %v", err)
	}
	if _, err := crypt.ParsePublicKey(v.Spec, b); err != crypt.ErrPublicKey {
		t.Error(err)
	}
}

// TestPublishedJWKs: the thumbprints of RFC 7638, section 3.1, and RFC 8037, appendix A.3.
func TestPublishedJWKs(t *testing.T) {
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn" +
		"jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5" +
		"hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	modulus := fromBase64url(t, n)
	for _, c := range []struct {
		spec       crypt.Spec
		der        []byte
		thumbprint string
	}{
		{crypt.RSA2048, rsaPublicDER(t, modulus), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{crypt.Ed25519, append(bytes.Clone(sampleOf(t, crypt.Ed25519).PublicKey[:12]), fromBase64url(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")...),
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		p := must(crypt.ParsePublicKey(c.spec, c.der))(t)
		if got := must(p.Thumbprint())(t); got != c.thumbprint {
			t.Errorf("%s: %s", c.spec, got)
		}
	}
}

// TestMACs: what is not the MAC of the message by this key is refused with the one error.
func TestMACs(t *testing.T) {
	forEachSpec(t, crypt.GenerateVerifyMAC, func(use crypt.Use, v sample) {
		k, a := must(crypt.OpenMACKey(v.Spec, v.material()))(t), use.Algorithms[0]
		message, mac := v.Made[0].Message, v.Made[0].Output
		for i := range mac {
			bad := bytes.Clone(mac)
			bad[i] ^= 0x80
			if err := k.Verify(a, message, bad); err != crypt.ErrSignature {
				t.Errorf("%s, byte %d altered: %v", a, i, err)
			}
			if err := k.Verify(a, message, mac[:i]); err != crypt.ErrSignature {
				t.Errorf("%s, cut to %d bytes: %v", a, i, err)
			}
		}
		if err := k.Verify(a, message[1:], mac); err != crypt.ErrSignature {
			t.Errorf("%s, another message: %v", a, err)
		}
		for _, other := range crypt.Table().Algorithms {
			if _, err := k.Generate(other.Algorithm, message); other.Algorithm != a && err != crypt.ErrAlgorithm {
				t.Errorf("%s computes %s: %v", v.Spec, other.Algorithm, err)
			}
		}
		if _, err := k.Generate(a, make([]byte, crypt.MaxSigned)); err != nil {
			t.Errorf("%s of %d bytes: %v", a, crypt.MaxSigned, err)
		}
		if _, err := k.Generate(a, make([]byte, crypt.MaxSigned+1)); err != crypt.ErrSize {
			t.Errorf("%s of %d bytes: %v", a, crypt.MaxSigned+1, err)
		}
		k.Destroy()
		if err := k.Verify(a, message, mac); err != crypt.ErrDestroyed {
			t.Errorf("%s after Destroy: %v", a, err)
		}
	})
}

// TestAgreement: both sides have the same secret; other curves, kinds and bytes are refused.
func TestAgreement(t *testing.T) {
	forEachSpec(t, crypt.KeyAgreement, func(_ crypt.Use, v sample) {
		m := must(crypt.GenerateMaterial(v.Spec, rand.Reader))(t)
		a, b := must(crypt.OpenAgreementKey(v.Spec, v.material()))(t), must(crypt.OpenAgreementKey(v.Spec, m))(t)
		one, two := must(a.Agree(b.Public().Bytes()))(t), must(b.Agree(a.Public().Bytes()))(t)
		if !one.Equal(two) || one.Len() < 32 {
			t.Errorf("%s: the sides differ", v.Spec)
		}
		for _, other := range []crypt.Spec{crypt.P256, crypt.P384, crypt.P521, crypt.Ed25519, crypt.RSA2048} {
			if _, err := a.Agree(sampleOf(t, other).PublicKey); other != v.Spec && err != crypt.ErrPublicKey {
				t.Errorf("%s agrees with %s: %v", v.Spec, other, err)
			}
		}
		a.Destroy()
		if _, err := a.Agree(b.Public().Bytes()); err != crypt.ErrDestroyed {
			t.Errorf("after Destroy: %v", err)
		}
	})
}

// TestKEM: both sides have the same secret; an altered ciphertext gives another one and no error.
func TestKEM(t *testing.T) {
	forEachSpec(t, crypt.EncapsulateDecapsulate, func(_ crypt.Use, v sample) {
		k := must(crypt.OpenKEMKey(v.Spec, v.material()))(t)
		shared, ciphertext, err := k.Public().Encapsulate()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Decapsulate(ciphertext); err != nil || !got.Equal(shared) || got.Len() != 32 {
			t.Errorf("%s: %v", v.Spec, err)
		}
		ciphertext[0] ^= 1
		if got, err := k.Decapsulate(ciphertext); err != nil || got.Equal(shared) || got.Len() != 32 {
			t.Errorf("%s, altered: %v", v.Spec, err)
		}
		for what, b := range spoilt(ciphertext) {
			if got, err := k.Decapsulate(b); err != crypt.ErrDecrypt || got.Len() != 0 {
				t.Errorf("%s, %s: %v", v.Spec, what, err)
			}
		}
		k.Destroy()
		if _, err := k.Decapsulate(ciphertext); err != crypt.ErrDestroyed {
			t.Errorf("after Destroy: %v", err)
		}
	})
	v := sampleOf(t, crypt.P256)
	if _, _, err := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t).Encapsulate(); err != crypt.ErrSpec {
		t.Errorf("encapsulating to a signing key: %v", err)
	}
}

// TestKeysDoNotPrint: no verb shows what a key is made of.
func TestKeysDoNotPrint(t *testing.T) {
	for _, s := range []crypt.Spec{crypt.HMAC256, crypt.Ed25519, crypt.P256, crypt.RSA2048, crypt.MLKEM768, crypt.XWing, crypt.MLDSA44} {
		v := sampleOf(t, s)
		for usage, open := range openers {
			k, err := open(s, v.material())
			if err != nil {
				continue
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
				out := fmt.Sprintf(verb, k)
				for _, shown := range []string{fmt.Sprintf("%x", v.Material[len(v.Material)-16:]), strings.Trim(fmt.Sprint([]byte(v.Material[len(v.Material)-16:])), "[]")} {
					if v.PublicKey != nil && bytes.Contains(v.PublicKey, v.Material[len(v.Material)-16:]) {
						continue
					}
					if strings.Contains(out, shown) {
						t.Errorf("%s of %s by %s shows the key", usage, s, verb)
					}
				}
			}
		}
	}
}

func fromBase64url(t testing.TB, s string) []byte {
	t.Helper()
	return must(base64.RawURLEncoding.DecodeString(s))(t)
}

func rsaPublicDER(t testing.TB, modulus []byte) []byte {
	t.Helper()
	return must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}))(t)
}
