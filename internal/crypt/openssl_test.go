package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// openssl is the command, in a folder of its own.
type openssl struct {
	t    *testing.T
	path string
	dir  string
}

// newOpenSSL finds the command. Only where HAVEN_CI is not 1 may it be absent.
func newOpenSSL(t *testing.T) (*openssl, bool) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("HAVEN_CI") == "1" {
		t.Fatal(err)
	}
	return &openssl{t, path, t.TempDir()}, err == nil
}

func (o *openssl) file(name string, content []byte) string {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return path
}

func (o *openssl) try(stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(o.t.Context(), o.path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Dir = o.dir
	return cmd.Output()
}

func (o *openssl) run(stdin []byte, args ...string) []byte {
	o.t.Helper()
	out, err := o.try(stdin, args...)
	if err != nil {
		o.t.Fatalf("openssl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// signing says how openssl makes a signature: the arguments of pkeyutl, after which the input is
// the digest, or the message where there is no hash.
var signing = map[crypt.Algorithm][]string{
	crypt.PSSWithSHA256:   {"-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"},
	crypt.PSSWithSHA384:   {"-pkeyopt", "digest:sha384", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"},
	crypt.PSSWithSHA512:   {"-pkeyopt", "digest:sha512", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"},
	crypt.PKCS1WithSHA256: {"-pkeyopt", "digest:sha256"},
	crypt.PKCS1WithSHA384: {"-pkeyopt", "digest:sha384"},
	crypt.PKCS1WithSHA512: {"-pkeyopt", "digest:sha512"},
	crypt.ECDSAWithSHA256: {},
	crypt.ECDSAWithSHA384: {},
	crypt.ECDSAWithSHA512: {},
	crypt.PureEd25519:     {"-rawin"},
}

// TestOpenSSLSignatures: each verifies what the other signed, and both read the keys.
func TestOpenSSLSignatures(t *testing.T) {
	o, ok := newOpenSSL(t)
	n := 0
	forEachSpec(t, crypt.SignVerify, func(use crypt.Use, v sample) {
		if !ok || signing[use.Algorithms[0]] == nil {
			return
		}
		private := o.file("private.der", v.Material)
		public := o.file("public.der", v.PublicKey)
		k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
		if got := o.run(nil, "pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER"); !bytes.Equal(got, v.PublicKey) {
			t.Errorf("%s: another public key", v.Spec)
		}
		for _, a := range use.Algorithms {
			args, has := signing[a]
			if !has {
				continue
			}
			n++
			mt := crypt.Digest
			if a == crypt.PureEd25519 {
				mt = crypt.Raw
			}
			message := messageOf(t, a, mt)
			in := o.file("message", message)
			ours := o.file("signature", must(k.Sign(a, mt, message))(t))
			if _, err := o.try(nil, append([]string{"pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-in", in, "-sigfile", ours}, args...)...); err != nil {
				t.Errorf("OpenSSL refuses %s of %s: %v", a, v.Spec, err)
			}
			theirs := o.run(nil, append([]string{"pkeyutl", "-sign", "-keyform", "DER", "-inkey", private, "-in", in}, args...)...)
			if err := k.Verify(a, mt, message, theirs); err != nil {
				t.Errorf("%s of %s by OpenSSL: %v", a, v.Spec, err)
			}
		}
	})
	if want := 3*6 + 3 + 1; ok && n != want {
		t.Errorf("%d combinations, want %d", n, want)
	}
}

// TestOpenSSLOAEP: each decrypts what the other encrypted.
func TestOpenSSLOAEP(t *testing.T) {
	o, ok := newOpenSSL(t)
	for _, s := range []crypt.Spec{crypt.RSA2048, crypt.RSA3072, crypt.RSA4096} {
		if !ok {
			return
		}
		v := sampleOf(t, s)
		k := must(crypt.OpenOAEPKey(s, v.material()))(t)
		private, public := o.file("private.der", v.Material), o.file("public.der", v.PublicKey)
		for a, hash := range map[crypt.Algorithm]string{crypt.OAEPWithSHA1: "sha1", crypt.OAEPWithSHA256: "sha256"} {
			if unapproved(t, a) {
				continue
			}
			args := []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + hash, "-pkeyopt", "rsa_mgf1_md:" + hash, "-keyform", "DER"}
			theirs := o.run([]byte("plaintext"), append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", public}, args...)...)
			if got, err := k.Decrypt(a, theirs); err != nil || string(got) != "plaintext" {
				t.Errorf("%s %s by OpenSSL: %v", s, a, err)
			}
			ours := must(k.Public().Encrypt(rand.Reader, a, []byte("plaintext")))(t)
			if got := o.run(ours, append([]string{"pkeyutl", "-decrypt", "-inkey", private}, args...)...); string(got) != "plaintext" {
				t.Errorf("OpenSSL decrypts %s %s to %q", s, a, got)
			}
		}
	}
}

// TestOpenSSLAgreement: both sides have the same secret.
func TestOpenSSLAgreement(t *testing.T) {
	o, ok := newOpenSSL(t)
	forEachSpec(t, crypt.KeyAgreement, func(_ crypt.Use, v sample) {
		if !ok {
			return
		}
		group := map[crypt.Spec]string{crypt.P256: "P-256", crypt.P384: "P-384", crypt.P521: "P-521"}[v.Spec]
		theirs := o.run(nil, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+group, "-outform", "DER")
		private, peer := o.file("private.der", theirs), o.file("peer.der", v.PublicKey)
		public := o.run(nil, "pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER")
		want := o.run(nil, "pkeyutl", "-derive", "-keyform", "DER", "-inkey", private, "-peerform", "DER", "-peerkey", peer)
		got, err := must(crypt.OpenAgreementKey(v.Spec, v.material()))(t).Agree(public)
		if err != nil || !got.Equal(newSecret(want)) {
			t.Errorf("%s: %v", v.Spec, err)
		}
	})
}

func TestOpenSSLMAC(t *testing.T) {
	o, ok := newOpenSSL(t)
	forEachSpec(t, crypt.GenerateVerifyMAC, func(use crypt.Use, v sample) {
		if !ok {
			return
		}
		a := use.Algorithms[0]
		out := o.run([]byte("message"), "mac", "-digest", "SHA"+strings.TrimPrefix(string(a), "HMAC_SHA_"), "-macopt", "hexkey:"+hex.EncodeToString(v.Material), "HMAC")
		mac := must(hex.DecodeString(strings.TrimSpace(string(out))))(t)
		if err := must(crypt.OpenMACKey(v.Spec, v.material()))(t).Verify(a, []byte("message"), mac); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	})
}

// TestOpenSSLImport imports keys of every kind as openssl makes them, wrapped by openssl the way
// that AWS KMS documents; and has openssl unwrap what is wrapped here.
func TestOpenSSLImport(t *testing.T) {
	o, ok := newOpenSSL(t)
	if !ok || fips140.Enabled() {
		return // where the key wrap is not available
	}
	v := sampleOf(t, crypt.RSA4096)
	k := wrappingKey(t, crypt.RSA4096)
	private, public := o.file("private.der", v.Material), o.file("public.der", v.PublicKey)
	oaep := []string{"-keyform", "DER", "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"}
	generate := map[crypt.Spec][]string{
		crypt.RSA2048: {"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
		crypt.P256:    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		crypt.P384:    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
		crypt.P521:    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
		crypt.Ed25519: {"genpkey", "-algorithm", "ED25519"},
		crypt.HMAC384: {"rand", "48"}, crypt.SymmetricDefault: {"rand", "32"},
	}
	for s, args := range generate {
		key := o.run(nil, args...)
		if args[0] == "genpkey" {
			key = o.run(key, "pkcs8", "-topk8", "-nocrypt", "-outform", "DER")
		}
		kek := o.run(nil, "rand", "32")
		wrap := []string{"enc", "-id-aes256-wrap-pad", "-K", hex.EncodeToString(kek), "-iv", "A65959A6"}
		wrapped := slices.Concat(
			o.run(kek, append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", public}, oaep...)...),
			o.run(key, wrap...))
		m, err := k.UnwrapMaterial(crypt.RSAAESKeyWrap, s, wrapped)
		if err != nil || !bytes.Equal(secret.Expose(m), key) {
			t.Errorf("importing %s: %v", s, err)
			continue
		}
		ours := must(k.Public().WrapMaterial(rand.Reader, crypt.RSAAESKeyWrap, m))(t)
		kek = o.run(ours[:512], append([]string{"pkeyutl", "-decrypt", "-inkey", private}, oaep...)...)
		wrap[3] = hex.EncodeToString(kek)
		if got := o.run(ours[512:], append(wrap, "-d")...); !bytes.Equal(got, key) {
			t.Errorf("OpenSSL unwraps %s otherwise", s)
		}
	}
}
