package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

func wrappingKey(t testing.TB, s crypt.Spec) *crypt.OAEPKey {
	t.Helper()
	return must(crypt.OpenOAEPKey(s, sampleOf(t, s).material()))(t)
}

// TestImport wraps material of every spec with every algorithm, as an owner would, and unwraps it.
func TestImport(t *testing.T) {
	n := 0
	for _, row := range crypt.Table().Specs {
		if !row.FIPS.AllowedHere() {
			continue
		}
		m := sampleOf(t, row.Spec).material()
		for _, a := range crypt.ImportAlgorithms() {
			k := wrappingKey(t, crypt.RSA3072)
			wrapped, err := k.Public().WrapMaterial(rand.Reader, a, m)
			switch {
			case unapproved(t, a):
				if _, err2 := k.UnwrapMaterial(a, row.Spec, nil); err != crypt.ErrUnsupported || err2 != crypt.ErrUnsupported {
					t.Errorf("%s: %v, %v", a, err, err2)
				}
				continue
			case err == crypt.ErrSize && a == crypt.OAEPWithSHA256 && m.Len() > 318:
				continue
			case err != nil:
				t.Errorf("%s by %s: %v", row.Spec, a, err)
				continue
			}
			got, err := k.UnwrapMaterial(a, row.Spec, wrapped)
			if !row.Import {
				if err != crypt.ErrSpec {
					t.Errorf("importing %s: %v", row.Spec, err)
				}
				continue
			}
			n++
			if err != nil || !got.Equal(m) {
				t.Errorf("%s by %s: %v", row.Spec, a, err)
			}
		}
	}
	if n < 5 {
		t.Errorf("%d imports", n)
	}
}

// wrapAny wraps bytes that need not be material, by the algorithm that takes most.
func wrapAny(t testing.TB, k *crypt.OAEPKey, b []byte) (crypt.Algorithm, []byte) {
	t.Helper()
	a := crypt.RSAAESKeyWrap
	if fips140.Enabled() {
		a = crypt.OAEPWithSHA256
	}
	return a, must(k.Public().WrapMaterial(rand.Reader, a, newSecret(b)))(t)
}

// TestImportECEncodings: the four encodings of RFC 5915 are imported, and stored as one.
func TestImportECEncodings(t *testing.T) {
	k := wrappingKey(t, crypt.RSA3072)
	for _, s := range []crypt.Spec{crypt.P256, crypt.P384, crypt.P521} {
		v := sampleOf(t, s)
		for i, b := range crypt.ECEncodings(s, v.Material) {
			if len(b) > 318 && fips140.Enabled() {
				continue
			}
			a, wrapped := wrapAny(t, k, b)
			got, err := k.UnwrapMaterial(a, s, wrapped)
			if err != nil || !got.Equal(v.material()) {
				t.Errorf("%s, encoding %d: %v", s, i, err)
			}
			if _, err := crypt.OpenAgreementKey(s, newSecret(b)); (err == nil) != (i == 0) {
				t.Errorf("%s, encoding %d opens as stored: %v", s, i, err)
			}
		}
	}
}

// TestImportRefuses: whatever is wrong with the wrapping or with what is in it, the error is one.
func TestImportRefuses(t *testing.T) {
	k := wrappingKey(t, crypt.RSA3072)
	refuse := func(what string, s crypt.Spec, b []byte) {
		t.Helper()
		if len(b) > 318 && fips140.Enabled() || len(b) == 0 {
			return
		}
		a, wrapped := wrapAny(t, k, b)
		if m, err := k.UnwrapMaterial(a, s, wrapped); err != crypt.ErrMaterial || m.Len() != 0 {
			t.Errorf("%s as %s: %v", what, s, err)
		}
	}
	for _, s := range []crypt.Spec{crypt.SymmetricDefault, crypt.HMAC224, crypt.RSA2048, crypt.P256, crypt.Ed25519} {
		for what, b := range spoilt(sampleOf(t, s).Material) {
			if len(b) <= 4096 {
				refuse(what, s, b)
			}
		}
	}
	refuse("another curve", crypt.P256, sampleOf(t, crypt.P384).Material)
	refuse("another kind", crypt.P256, sampleOf(t, crypt.Ed25519).Material)
	refuse("another size", crypt.RSA2048, sampleOf(t, crypt.RSA3072).Material)
	refuse("SEC 1", crypt.P256, sec1(t, sampleOf(t, crypt.P256).Material))

	mismatched := bytes.Clone(sampleOf(t, crypt.P256).Material)
	other := must(crypt.GenerateMaterial(crypt.P256, rand.Reader))(t)
	copy(mismatched[len(mismatched)-65:], secret.Expose(other)[other.Len()-65:])
	refuse("another key's public key", crypt.P256, mismatched)

	for what, b := range map[string][]byte{"exponent 3": rsaOf(t, 3, 2), "three primes": rsaOf(t, 65537, 3), "PKCS #1": pkcs1(t)} {
		refuse(what, crypt.RSA2048, b)
	}

	m := newSecret(make([]byte, 32))
	for _, a := range crypt.ImportAlgorithms() {
		if unapproved(t, a) {
			continue
		}
		wrapped := must(k.Public().WrapMaterial(rand.Reader, a, m))(t)
		for i := 0; i < len(wrapped); i += 13 {
			bad := bytes.Clone(wrapped)
			bad[i] ^= 1
			if _, err := k.UnwrapMaterial(a, crypt.SymmetricDefault, bad); err != crypt.ErrMaterial {
				t.Errorf("%s, byte %d altered: %v", a, i, err)
			}
			if _, err := k.UnwrapMaterial(a, crypt.SymmetricDefault, wrapped[:i]); err != crypt.ErrMaterial {
				t.Errorf("%s, cut to %d bytes: %v", a, i, err)
			}
		}
		if _, err := k.UnwrapMaterial(a, crypt.SymmetricDefault, make([]byte, crypt.MaxImport+1)); err != crypt.ErrMaterial {
			t.Errorf("%s, too long: %v", a, err)
		}
		if _, err := k.UnwrapMaterial(a, "SM2", wrapped); err != crypt.ErrSpec {
			t.Errorf("%s, no spec: %v", a, err)
		}
	}
	if !fips140.Enabled() {
		short := must(k.Public().Encrypt(rand.Reader, crypt.OAEPWithSHA256, make([]byte, 16)))(t)
		b := append(short, crypt.WrapPadded(make([]byte, 16), make([]byte, 32))...)
		if _, err := k.UnwrapMaterial(crypt.RSAAESKeyWrap, crypt.SymmetricDefault, b); err != crypt.ErrMaterial {
			t.Errorf("AES-128 around the material: %v", err)
		}
	}
	if _, err := k.UnwrapMaterial(crypt.OAEPWithSHA1, crypt.SymmetricDefault, nil); err != crypt.ErrAlgorithm {
		t.Errorf("SHA-1: %v", err)
	}
	k.Destroy()
	if _, err := k.UnwrapMaterial(crypt.OAEPWithSHA256, crypt.SymmetricDefault, make([]byte, 384)); err != crypt.ErrDestroyed {
		t.Errorf("after Destroy: %v", err)
	}
}

func TestWrapMaterialRefuses(t *testing.T) {
	p, m := wrappingKey(t, crypt.RSA2048).Public(), newSecret(make([]byte, 32))
	for _, n := range []int{0, 4097} {
		if _, err := p.WrapMaterial(rand.Reader, crypt.OAEPWithSHA256, newSecret(make([]byte, n))); err != crypt.ErrSize {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := p.WrapMaterial(rand.Reader, crypt.OAEPWithSHA256, newSecret(make([]byte, 191))); err != crypt.ErrSize {
		t.Errorf("191 bytes: %v", err)
	}
	if _, err := p.WrapMaterial(rand.Reader, "RSAES_PKCS1_V1_5", m); err != crypt.ErrAlgorithm {
		t.Errorf("PKCS #1 v1.5: %v", err)
	}
	v := sampleOf(t, crypt.P256)
	ec := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
	for _, a := range crypt.ImportAlgorithms() {
		if unapproved(t, a) {
			continue
		}
		if _, err := ec.WrapMaterial(rand.Reader, a, m); err != crypt.ErrSpec {
			t.Errorf("to an EC key: %v", err)
		}
		broken := iotest.ErrReader(io.ErrClosedPipe)
		if _, err := p.WrapMaterial(broken, a, m); err == nil || !fips140.Enforced() && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("randomness that fails: %v", err)
		}
	}
}

// rsaOf makes a 2048-bit key that crypto/rsa takes and Haven does not.
func rsaOf(t testing.TB, e, primes int) (der []byte) {
	t.Helper()
	fips140.WithoutEnforcement(func() {
		if primes != 2 {
			//lint:ignore SA1019 such keys have to be refused
			k := must(rsa.GenerateMultiPrimeKey(rand.Reader, primes, 2048))(t)
			der = must(x509.MarshalPKCS8PrivateKey(k))(t)
			return
		}
		k := &rsa.PrivateKey{}
		for k.D == nil {
			k = withExponent(must(rsa.GenerateKey(rand.Reader, 2048))(t), e)
		}
		der = must(x509.MarshalPKCS8PrivateKey(k))(t)
	})
	return der
}

func pkcs1(t testing.TB) []byte {
	t.Helper()
	k := must(x509.ParsePKCS8PrivateKey(sampleOf(t, crypt.RSA2048).Material))(t)
	return x509.MarshalPKCS1PrivateKey(k.(*rsa.PrivateKey))
}

// sec1 is what is inside PKCS #8.
func sec1(t testing.TB, der []byte) []byte {
	t.Helper()
	var v struct {
		Version   int
		Algorithm asn1.RawValue
		Key       []byte
	}
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		t.Fatal(err)
	}
	return v.Key
}

func TestOAEP(t *testing.T) {
	for _, s := range []crypt.Spec{crypt.RSA2048, crypt.RSA3072, crypt.RSA4096} {
		v := sampleOf(t, s)
		k := must(crypt.OpenOAEPKey(s, v.material()))(t)
		for a, hash := range map[crypt.Algorithm]int{crypt.OAEPWithSHA256: 32, crypt.OAEPWithSHA1: sha1.Size} {
			most := map[crypt.Spec]int{crypt.RSA2048: 256, crypt.RSA3072: 384, crypt.RSA4096: 512}[s] - 2*hash - 2
			ciphertext, err := k.Public().Encrypt(rand.Reader, a, make([]byte, most))
			if unapproved(t, a) {
				if _, err2 := k.Decrypt(a, ciphertext); err != crypt.ErrUnsupported || err2 != crypt.ErrUnsupported {
					t.Errorf("%s: %v, %v", a, err, err2)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s %s of %d bytes: %v", s, a, most, err)
			}
			if got, err := k.Decrypt(a, ciphertext); err != nil || len(got) != most {
				t.Errorf("%s %s: %v", s, a, err)
			}
			if _, err := k.Public().Encrypt(rand.Reader, a, make([]byte, most+1)); err != crypt.ErrSize {
				t.Errorf("%s %s of %d bytes: %v", s, a, most+1, err)
			}
			for i := 0; i < len(ciphertext); i += 37 {
				ciphertext[i] ^= 1
				if p, err := k.Decrypt(a, ciphertext); err != crypt.ErrDecrypt || p != nil {
					t.Errorf("%s %s, byte %d altered: %v", s, a, i, err)
				}
				ciphertext[i] ^= 1
			}
		}
		if _, err := k.Decrypt(crypt.PSSWithSHA256, nil); err != crypt.ErrAlgorithm {
			t.Errorf("decrypting by PSS: %v", err)
		}
		if _, err := k.Public().Encrypt(rand.Reader, crypt.PSSWithSHA256, nil); err != crypt.ErrAlgorithm {
			t.Errorf("encrypting by PSS: %v", err)
		}
		k.Destroy()
		if _, err := k.Decrypt(crypt.OAEPWithSHA256, v.Made[0].Output); err != crypt.ErrDestroyed {
			t.Errorf("decrypting after Destroy: %v", err)
		}
	}
}

// TestImportable is the table's column, and what FIPS 140-3 mode leaves of the algorithms.
func TestImportable(t *testing.T) {
	for _, row := range crypt.Table().Specs {
		for _, a := range append(crypt.ImportAlgorithms(), crypt.OAEPWithSHA1, "") {
			var want error
			known := slices.Contains(crypt.ImportAlgorithms(), a)
			switch {
			case !row.FIPS.AllowedHere():
				want = crypt.ErrUnsupported
			case !row.Import:
				want = crypt.ErrSpec
			case !known:
				want = crypt.ErrAlgorithm
			case unapproved(t, a):
				want = crypt.ErrUnsupported
			}
			if got := crypt.Importable(a, row.Spec); got != want {
				t.Errorf("%s by %q: %v, want %v", row.Spec, a, got, want)
			}
		}
	}
	if err := crypt.Importable(crypt.OAEPWithSHA256, "SM2"); err != crypt.ErrSpec {
		t.Errorf("no spec: %v", err)
	}
}

// TestMaterialID: it is of all that it names, and of nothing else.
func TestMaterialID(t *testing.T) {
	id, m := [16]byte{15: 1}, make([]byte, 32)
	mac := hmac.New(sha256.New, m)
	mac.Write([]byte("haven/material/v1\x00" + string(id[:]) + "\x00\x00\x00\x02HMAC_256"))
	want := mac.Sum(nil)
	if got := crypt.MaterialID(id, 2, crypt.HMAC256, newSecret(m)); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	other := make([]byte, 32)
	other[31] = 1
	for what, got := range map[string][]byte{
		"another key": crypt.MaterialID([16]byte{}, 2, crypt.HMAC256, newSecret(m)), "another version": crypt.MaterialID(id, 3, crypt.HMAC256, newSecret(m)),
		"another spec": crypt.MaterialID(id, 2, crypt.SymmetricDefault, newSecret(m)), "other material": crypt.MaterialID(id, 2, crypt.HMAC256, newSecret(other)),
	} {
		if bytes.Equal(got, want) {
			t.Errorf("%s has the same", what)
		}
	}
}
