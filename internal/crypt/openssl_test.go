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
	*peer
	path string
	dir  string
}

// TestOpenSSL exchanges with OpenSSL 3 all that its version 3.0 has: later ones have Ed25519ph, ML-DSA
// and ML-KEM too, which are exchanged with Bouncy Castle.
func TestOpenSSL(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		absent(t, err)
	}
	o := &openssl{newPeer(t, "OpenSSL"), path, t.TempDir()}
	o.signatures()
	o.encryption()
	o.agreement()
	o.macs()
	if !fips140.Enabled() { // where the key wrap is not available
		o.imports()
	}
	o.report()
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

// told runs the command, of which only counts whether it refuses.
func (o *openssl) told(args ...string) error {
	_, err := o.try(nil, args...)
	return err
}

// signatures: each verifies what the other signed, and both read the keys.
func (o *openssl) signatures() {
	forEachSpec(o.t, crypt.SignVerify, func(use crypt.Use, v sample) {
		if signing[use.Algorithms[0]] == nil {
			return
		}
		private := o.file("private.der", v.Material)
		public := o.file("public.der", v.PublicKey)
		if err := same(o.run(nil, "pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER"), v.PublicKey); err != nil {
			o.t.Errorf("%s: public key: %v", v.Spec, err)
		}
		for _, a := range use.Algorithms {
			if signing[a] != nil {
				o.signed(v, a, private, public)
			}
		}
	})
}

func (o *openssl) signed(v sample, a crypt.Algorithm, private, public string) {
	o.t.Helper()
	mt := crypt.Digest
	if a == crypt.PureEd25519 {
		mt = crypt.Raw
	}
	k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(o.t)
	message := messageOf(o.t, a, mt)
	in := o.file("message", message)
	ours := must(k.Sign(a, mt, message))(o.t)
	verify := append([]string{"pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-in", in, "-sigfile"}, o.file("signature", ours))
	o.there(v.Spec, a, o.told(append(verify, signing[a]...)...))
	o.file("signature", altered(ours))
	o.refused(v.Spec, a, o.told(append(verify, signing[a]...)...))

	theirs := o.run(nil, append([]string{"pkeyutl", "-sign", "-keyform", "DER", "-inkey", private, "-in", in}, signing[a]...)...)
	o.here(v.Spec, a, k.Verify(a, mt, message, theirs))
	o.refused(v.Spec, a, k.Verify(a, mt, message, altered(theirs)))
	o.refused(v.Spec, a, k.Verify(a, mt, altered(message), theirs))
}

// encryption: each decrypts what the other encrypted.
func (o *openssl) encryption() {
	for _, s := range []crypt.Spec{crypt.RSA2048, crypt.RSA3072, crypt.RSA4096} {
		v := sampleOf(o.t, s)
		k := must(crypt.OpenOAEPKey(s, v.material()))(o.t)
		private, public := o.file("private.der", v.Material), o.file("public.der", v.PublicKey)
		for a, hash := range map[crypt.Algorithm]string{crypt.OAEPWithSHA1: "sha1", crypt.OAEPWithSHA256: "sha256"} {
			if unapproved(o.t, a) {
				continue
			}
			args := []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + hash, "-pkeyopt", "rsa_mgf1_md:" + hash, "-keyform", "DER"}
			theirs := o.run([]byte("plaintext"), append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", public}, args...)...)
			got, err := k.Decrypt(a, theirs)
			if err == nil {
				err = same(got, []byte("plaintext"))
			}
			o.here(s, a, err)
			_, err = k.Decrypt(a, altered(theirs))
			o.refused(s, a, err)

			ours := must(k.Public().Encrypt(rand.Reader, a, []byte("plaintext")))(o.t)
			decrypt := append([]string{"pkeyutl", "-decrypt", "-inkey", private}, args...)
			o.there(s, a, same(o.run(ours, decrypt...), []byte("plaintext")))
			_, err = o.try(altered(ours), decrypt...)
			o.refused(s, a, err)
		}
	}
}

// agreement: with either's private key the secret is the same.
func (o *openssl) agreement() {
	forEachSpec(o.t, crypt.KeyAgreement, func(_ crypt.Use, v sample) {
		group := map[crypt.Spec]string{crypt.P256: "P-256", crypt.P384: "P-384", crypt.P521: "P-521"}[v.Spec]
		theirs := o.run(nil, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+group, "-outform", "DER")
		private, peer := o.file("private.der", theirs), o.file("peer.der", v.PublicKey)
		public := o.run(nil, "pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER")
		derive := func(private, peer string) []byte {
			return o.run(nil, "pkeyutl", "-derive", "-keyform", "DER", "-inkey", private, "-peerform", "DER", "-peerkey", peer)
		}
		k := must(crypt.OpenAgreementKey(v.Spec, v.material()))(o.t)
		ours := secret.Expose(must(k.Agree(public))(o.t))
		o.here(v.Spec, crypt.ECDH, same(ours, derive(private, peer)))
		o.there(v.Spec, crypt.ECDH, same(ours, derive(o.file("ours.der", v.Material), o.file("public.der", public))))
		_, err := k.Agree(altered(public))
		o.refused(v.Spec, crypt.ECDH, err)
	})
}

func (o *openssl) macs() {
	forEachSpec(o.t, crypt.GenerateVerifyMAC, func(use crypt.Use, v sample) {
		a := use.Algorithms[0]
		out := o.run([]byte("message"), "mac", "-digest", "SHA"+strings.TrimPrefix(string(a), "HMAC_SHA_"), "-macopt", "hexkey:"+hex.EncodeToString(v.Material), "HMAC")
		theirs := must(hex.DecodeString(strings.TrimSpace(string(out))))(o.t)
		k := must(crypt.OpenMACKey(v.Spec, v.material()))(o.t)
		o.there(v.Spec, a, same(must(k.Generate(a, []byte("message")))(o.t), theirs))
		o.here(v.Spec, a, k.Verify(a, []byte("message"), theirs))
		o.refused(v.Spec, a, k.Verify(a, []byte("message"), altered(theirs)))
	})
}

// imports: keys of every kind as openssl makes them, wrapped by openssl the way that AWS KMS
// documents, are imported; and openssl unwraps what is wrapped here.
func (o *openssl) imports() {
	const a = crypt.RSAAESKeyWrap
	v := sampleOf(o.t, crypt.RSA4096)
	k := wrappingKey(o.t, crypt.RSA4096)
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
		m, err := k.UnwrapMaterial(a, s, wrapped)
		if err == nil {
			err = same(secret.Expose(m), key)
		}
		o.here(s, a, err)
		_, err = k.UnwrapMaterial(a, s, append(wrapped[:512:512], altered(wrapped[512:])...))
		o.refused(s, a, err)

		ours := must(k.Public().WrapMaterial(rand.Reader, a, newSecret(key)))(o.t)
		kek = o.run(ours[:512], append([]string{"pkeyutl", "-decrypt", "-inkey", private}, oaep...)...)
		wrap[3] = hex.EncodeToString(kek)
		unwrap := append(wrap, "-d")
		o.there(s, a, same(o.run(ours[512:], unwrap...), key))
		_, err = o.try(altered(ours[512:]), unwrap...)
		o.refused(s, a, err)
	}
}
