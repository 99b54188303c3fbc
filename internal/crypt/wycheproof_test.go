package crypt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
)

const (
	noSpec      = "no key spec of Haven's"
	oneHash     = "the algorithms that AWS names fix another hash for the curve"
	noPKCS1     = "there is no PKCS #1 v1.5 decryption"
	noMessage   = "only µ is given, and the library verifies by the message"
	noContext   = "context strings are not offered"
	noHash      = "no algorithm has the combination of hash, mask hash and salt length"
	noSize      = "no spec has the modulus or key length"
	noExponent  = "the public exponent is always 65537"
	otherHKDF   = "HKDF is used with SHA-256 only"
	truncated   = "MACs are not truncated, and keys are as long as the hash"
	lengthFixed = "the output is always 64 bytes"
)

// wycheproofFiles is every file, with what comes of it outside FIPS 140-3 mode.
var wycheproofFiles = []wycheproofFile{
	{"aes_cmac_test.json", 0, 0, 311, nil, "CMAC is not offered"},
	{"aes_gcm_siv_test.json", 0, 0, 202, nil, "AES-GCM-SIV is not used"},
	{"aes_gcm_test.json", 66, 0, 250, runGCM, ""},
	{"aes_kwp_test.json", 254, 0, 0, runKeyWrap, ""},
	{"aes_wrap_test.json", 0, 0, 165, nil, "key wrap without padding is not offered"},
	{"ecdh_secp256k1_test.json", 0, 0, 752, nil, noSpec},
	{"ecdh_secp256r1_test.json", 382, 230, 0, runECDH(crypt.P256, elliptic.P256()), ""},
	{"ecdh_secp384r1_test.json", 817, 230, 0, runECDH(crypt.P384, elliptic.P384()), ""},
	{"ecdh_secp521r1_test.json", 688, 228, 0, runECDH(crypt.P521, elliptic.P521()), ""},
	{"ecdsa_secp256k1_sha256_test.json", 0, 0, 476, nil, noSpec},
	{"ecdsa_secp256r1_sha256_test.json", 484, 0, 0, runVerify(crypt.P256, crypt.ECDSAWithSHA256), ""},
	{"ecdsa_secp256r1_sha512_test.json", 0, 0, 554, nil, oneHash},
	{"ecdsa_secp384r1_sha384_test.json", 504, 0, 0, runVerify(crypt.P384, crypt.ECDSAWithSHA384), ""},
	{"ecdsa_secp384r1_sha512_test.json", 0, 0, 542, nil, oneHash},
	{"ecdsa_secp521r1_sha512_test.json", 542, 0, 0, runVerify(crypt.P521, crypt.ECDSAWithSHA512), ""},
	{"ed25519_test.json", 151, 0, 0, runVerify(crypt.Ed25519, crypt.PureEd25519), ""},
	{"hkdf_sha256_test.json", 83, 0, 3, runHKDF, ""},
	{"hkdf_sha384_test.json", 0, 0, 83, nil, otherHKDF},
	{"hkdf_sha512_test.json", 0, 0, 83, nil, otherHKDF},
	{"hmac_sha224_test.json", 81, 0, 91, runHMAC(crypt.HMAC224, crypt.HMACWithSHA224), ""},
	{"hmac_sha256_test.json", 81, 0, 93, runHMAC(crypt.HMAC256, crypt.HMACWithSHA256), ""},
	{"hmac_sha384_test.json", 81, 0, 93, runHMAC(crypt.HMAC384, crypt.HMACWithSHA384), ""},
	{"hmac_sha512_test.json", 81, 0, 93, runHMAC(crypt.HMAC512, crypt.HMACWithSHA512), ""},
	{"mldsa_44_verify_test.json", 173, 0, 7, runMLDSAVerify(crypt.MLDSA44), ""},
	{"mldsa_65_sign_seed_test.json", 84, 0, 21, runMLDSASeed(crypt.MLDSA65), ""},
	{"mldsa_65_verify_test.json", 203, 0, 7, runMLDSAVerify(crypt.MLDSA65), ""},
	{"mldsa_87_sign_seed_test.json", 75, 0, 21, runMLDSASeed(crypt.MLDSA87), ""},
	{"mldsa_87_verify_test.json", 234, 0, 7, runMLDSAVerify(crypt.MLDSA87), ""},
	{"rsa_oaep_2048_sha1_mgf1sha1_test.json", 29, 7, 0, runOAEP, ""},
	{"rsa_oaep_2048_sha256_mgf1sha1_test.json", 0, 0, 31, runOAEP, ""},
	{"rsa_oaep_2048_sha256_mgf1sha256_test.json", 29, 8, 0, runOAEP, ""},
	{"rsa_oaep_3072_sha256_mgf1sha256_test.json", 29, 8, 0, runOAEP, ""},
	{"rsa_oaep_4096_sha256_mgf1sha256_test.json", 29, 8, 0, runOAEP, ""},
	{"rsa_oaep_misc_test.json", 18, 0, 377, runOAEP, ""},
	{"rsa_pkcs1_2048_sig_gen_test.json", 24, 3, 16, runPKCS1Sign, ""},
	{"rsa_pkcs1_2048_test.json", 0, 0, 67, nil, noPKCS1},
	{"rsa_pkcs1_3072_sig_gen_test.json", 24, 2, 0, runPKCS1Sign, ""},
	{"rsa_pkcs1_3072_test.json", 0, 0, 67, nil, noPKCS1},
	{"rsa_pkcs1_4096_sig_gen_test.json", 24, 0, 0, runPKCS1Sign, ""},
	{"rsa_pkcs1_4096_test.json", 0, 0, 67, nil, noPKCS1},
	{"rsa_pss_2048_sha256_mgf1_32_test.json", 108, 0, 0, runPSS, ""},
	{"rsa_pss_2048_sha384_mgf1_48_test.json", 141, 0, 0, runPSS, ""},
	{"rsa_pss_3072_sha256_mgf1_32_test.json", 108, 0, 0, runPSS, ""},
	{"rsa_pss_4096_sha256_mgf1_32_test.json", 108, 0, 0, runPSS, ""},
	{"rsa_pss_4096_sha384_mgf1_48_test.json", 141, 0, 0, runPSS, ""},
	{"rsa_pss_4096_sha512_mgf1_64_test.json", 179, 0, 0, runPSS, ""},
	{"rsa_pss_misc_test.json", 3, 15, 132, runPSS, ""},
	{"x25519_test.json", 0, 0, 518, nil, noSpec},
}

var rsaSpecs = map[int]crypt.Spec{2048: crypt.RSA2048, 3072: crypt.RSA3072, 4096: crypt.RSA4096}

func runGCM(t *testing.T, g vectorGroup, v vector) outcome {
	if g.KeySize != 256 || g.IVSize != 96 || g.TagSize != 128 {
		return notApplicable("AES-GCM is used with 256-bit keys, 96-bit nonces and 128-bit tags only")
	}
	aead, err := crypt.NewAEAD(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := aead.Open(nil, nil, bytes.Join([][]byte{v.IV, v.CT, v.Tag}, nil), v.AAD)
	if err == nil && !bytes.Equal(got, v.Msg) {
		return wrong("decrypts to %x", got)
	}
	return verdict(v, err)
}

func runHKDF(t *testing.T, g vectorGroup, v vector) outcome {
	if v.Result != "valid" {
		return notApplicable(lengthFixed)
	}
	var prk []byte
	var err error
	// Some input keys are shorter than FIPS 140-3 mode allows; what is tested is what follows.
	fips140.WithoutEnforcement(func() { prk, err = hkdf.Extract(sha256.New, v.IKM, v.Salt) })
	if err != nil {
		t.Fatal(err)
	}
	got := crypt.Expand(newSecret(prk), v.Info)
	if size := min(v.Size, len(got)); !bytes.Equal(got[:size], v.OKM[:size]) {
		return wrong("gives %x", got)
	}
	return verdict(v, nil)
}

func runHMAC(s crypt.Spec, a crypt.Algorithm) func(*testing.T, vectorGroup, vector) outcome {
	return func(t *testing.T, g vectorGroup, v vector) outcome {
		k, err := crypt.OpenMACKey(s, newSecret(v.Key))
		if err == crypt.ErrMaterial || g.TagSize != g.KeySize {
			return notApplicable(truncated)
		}
		if err != nil {
			return verdict(v, err)
		}
		if s == crypt.HMAC256 { // the pooled HMAC of the row MAC is another implementation
			if equal := bytes.Equal(crypt.SumOne(newSecret(v.Key), v.Msg), v.Tag); equal != (v.Result == "valid") {
				return wrong("the pooled HMAC says %v", equal)
			}
		}
		return verdict(v, k.Verify(a, v.Msg, v.Tag))
	}
}

func runKeyWrap(t *testing.T, g vectorGroup, v vector) outcome {
	got, ok := crypt.UnwrapPadded(v.Key, v.CT)
	if !ok {
		return verdict(v, crypt.ErrDecrypt)
	}
	if !bytes.Equal(got, v.Msg) || !bytes.Equal(crypt.WrapPadded(v.Key, got), v.CT) {
		return wrong("unwraps to %x", got)
	}
	return verdict(v, nil)
}

func runECDH(s crypt.Spec, c elliptic.Curve) func(*testing.T, vectorGroup, vector) outcome {
	return func(t *testing.T, g vectorGroup, v vector) outcome {
		size := (c.Params().BitSize + 7) / 8
		digits := strings.TrimLeft(v.Private, "0")
		scalar, err := hex.DecodeString(strings.Repeat("0", 2*size-len(digits)) + digits)
		if err != nil {
			t.Fatal(err)
		}
		private, err := ecdsa.ParseRawPrivateKey(c, scalar)
		if err != nil {
			t.Fatal(err)
		}
		material := must(x509.MarshalPKCS8PrivateKey(private))(t)
		k := must(crypt.OpenAgreementKey(s, newSecret(material)))(t)
		shared, err := k.Agree(v.Public)
		if err == nil && !shared.Equal(newSecret(v.Shared)) {
			return wrong("another shared secret")
		}
		if err != nil && err != crypt.ErrPublicKey {
			return wrong("%v", err)
		}
		return verdict(v, err)
	}
}

// runVerify verifies under the group's public key, which has to parse.
func runVerify(s crypt.Spec, a crypt.Algorithm) func(*testing.T, vectorGroup, vector) outcome {
	return func(t *testing.T, g vectorGroup, v vector) outcome {
		p, err := crypt.ParsePublicKey(s, g.PublicKeyDER)
		if err != nil {
			return wrong("public key: %v", err)
		}
		if o := compareJWK(p, g.PublicKeyJWK); o.kind != "" {
			return o
		}
		return verifyOne(p, a, v)
	}
}

func verifyOne(p *crypt.PublicKey, a crypt.Algorithm, v vector) outcome {
	err := p.Verify(a, crypt.Raw, v.Msg, v.Sig)
	if err != nil && err != crypt.ErrSignature && err != crypt.ErrUnsupported {
		return wrong("%v", err)
	}
	return verdict(v, err)
}

// compareJWK compares the members of a key's JWK with those of the group's, if it has one.
func compareJWK(p *crypt.PublicKey, want *vectorJWK) outcome {
	if want == nil {
		return outcome{}
	}
	var got vectorJWK
	b, err := p.JWK()
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil || got != *want {
		return wrong("JWK %s: %v", b, err)
	}
	return outcome{}
}

func runMLDSAVerify(s crypt.Spec) func(*testing.T, vectorGroup, vector) outcome {
	return func(t *testing.T, g vectorGroup, v vector) outcome {
		if len(v.Ctx) > 0 {
			return notApplicable(noContext)
		}
		p, err := crypt.ParsePublicKey(s, g.PublicKeyDER)
		if err != nil {
			return verdict(v, err)
		}
		return verifyOne(p, crypt.MLDSA, v)
	}
}

// runMLDSASeed opens a key by its seed and verifies with it what its owner signed.
func runMLDSASeed(s crypt.Spec) func(*testing.T, vectorGroup, vector) outcome {
	return func(t *testing.T, g vectorGroup, v vector) outcome {
		k, err := crypt.OpenSigningKey(s, newSecret(g.PrivateSeed), rand.Reader)
		if len(v.Ctx) > 0 {
			return notApplicable(noContext)
		}
		if slices.Contains(v.Flags, "Internal") {
			return notApplicable(noMessage)
		}
		if err != nil {
			return verdict(v, err)
		}
		var raw hexBytes
		if err := json.Unmarshal(g.PublicKey, &raw); err != nil || !bytes.HasSuffix(k.Public().Bytes(), raw) {
			return wrong("another public key: %v", err)
		}
		return verifyOne(k.Public(), crypt.MLDSA, v)
	}
}

func runOAEP(t *testing.T, g vectorGroup, v vector) outcome {
	spec, a := rsaSpecs[g.KeySize], map[string]crypt.Algorithm{
		"SHA-1 SHA-1": crypt.OAEPWithSHA1, "SHA-256 SHA-256": crypt.OAEPWithSHA256,
	}[g.Hash+" "+g.MaskHash]
	switch {
	case spec == "":
		return notApplicable(noSize)
	case a == "":
		return notApplicable(noHash)
	}
	k, err := crypt.OpenOAEPKey(spec, newSecret(g.PrivateKeyPKCS8))
	if err != nil {
		return wrong("private key: %v", err)
	}
	got, err := k.Decrypt(a, v.CT)
	if err == nil && !bytes.Equal(got, v.Msg) {
		return wrong("decrypts to %x", got)
	}
	if len(v.Label) > 0 && v.Result == "valid" && err == crypt.ErrDecrypt {
		return pinned("labels are not offered: what has one is refused")
	}
	return verdict(v, err)
}

// runPKCS1Sign signs, which gives one signature only, and verifies it.
func runPKCS1Sign(t *testing.T, g vectorGroup, v vector) outcome {
	a := crypt.Algorithm("RSASSA_PKCS1_V1_5_" + strings.ReplaceAll(g.Hash, "-", "_"))
	if _, err := crypt.Table().Algorithm(a); err != nil {
		return notApplicable(noHash)
	}
	k, err := crypt.OpenSigningKey(rsaSpecs[g.KeySize], newSecret(g.PrivateKeyPKCS8), rand.Reader)
	if err == crypt.ErrMaterial && v.Result == "acceptable" {
		return pinned(noExponent)
	}
	if err != nil {
		return wrong("private key: %v", err)
	}
	signature, err := k.Sign(a, crypt.Raw, v.Msg)
	if err != nil || !bytes.Equal(signature, v.Sig) {
		return wrong("signs otherwise: %v", err)
	}
	return verdict(v, k.Verify(a, crypt.Raw, v.Msg, v.Sig))
}

func runPSS(t *testing.T, g vectorGroup, v vector) outcome {
	salt := map[string]int{"SHA-256": 32, "SHA-384": 48, "SHA-512": 64}[g.Hash]
	if salt == 0 || g.MaskHash != g.Hash {
		return notApplicable(noHash)
	}
	p, err := crypt.ParsePublicKey(rsaSpecs[g.KeySize], g.PublicKeyDER)
	if err != nil {
		return wrong("public key: %v", err)
	}
	if o := compareJWK(p, g.PublicKeyJWK); o.kind != "" {
		return o
	}
	o := verifyOne(p, crypt.Algorithm("RSASSA_PSS_"+strings.ReplaceAll(g.Hash, "-", "_")), v)
	if g.SaltLen != salt && v.Result == "valid" && o.kind == "wrong" {
		return pinned("the salt is as long as the hash: every other length is refused")
	}
	return o
}
