package crypt_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// bouncyCastle is interop/Peer.java, running.
type bouncyCastle struct {
	*peer
	in  io.Writer
	out *bufio.Scanner
}

// TestBouncyCastle exchanges with Bouncy Castle whatever a key of each spec makes. Every key is the
// private key of both: one made here, one made there.
func TestBouncyCastle(t *testing.T) {
	if testing.Short() || fips140.Enabled() {
		return // It takes seconds; and what is exchanged does not depend on the mode.
	}
	b := newBouncyCastle(t)
	b.signatures()
	b.macs()
	b.agreement()
	b.encryption()
	b.imports()
	b.encapsulation()
	b.sealing()
	b.report()
}

func newBouncyCastle(t *testing.T) *bouncyCastle {
	t.Helper()
	const folder = "interop"
	version := pinnedVersion(t, filepath.Join(folder, "pom.xml"), `<artifactId>bcprov-jdk18on</artifactId>\s*<version>(.*)</version>`)
	jar, err := filepath.Abs(filepath.Join(folder, "target/lib", "bcprov-jdk18on-"+version+".jar"))
	if err != nil {
		t.Fatal(err)
	}
	java, err := exec.LookPath("java")
	if err == nil {
		_, err = filepath.EvalSymlinks(jar)
	}
	if err != nil {
		absent(t, err)
	}
	// Without the property its Ed25519 keys are version 2 of PKCS #8 (RFC 5958); wrapping tests both.
	cmd := exec.Command(java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.bouncycastle.pkcs8.v1_info_only=true", "-cp", jar, filepath.Join(folder, "Peer.java"))
	in, err := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &bouncyCastle{newPeer(t, "Bouncy Castle "+version), in, bufio.NewScanner(out)}
	b.out.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("Peer.java: %v\n%s", err, &stderr)
		}
	})
	if got := b.get("version"); string(got[0]) != version {
		t.Fatalf("Bouncy Castle is %s, and %s is pinned", got[0], version)
	}
	return b
}

// ask has an operation done. What the peer refuses is an error.
func (b *bouncyCastle) ask(operation string, args ...any) ([][]byte, error) {
	b.t.Helper()
	line := operation
	for _, a := range args {
		switch a := a.(type) {
		case []byte:
			line += " " + hex.EncodeToString(a)
		case hexBytes:
			line += " " + hex.EncodeToString(a)
		default:
			line += fmt.Sprintf(" %s", a)
		}
	}
	if _, err := io.WriteString(b.in, line+"\n"); err != nil || !b.out.Scan() {
		b.t.Fatalf("%s: Peer.java is gone: %v %v", operation, err, b.out.Err())
	}
	answer := b.out.Text()
	words := strings.Split(answer, " ")
	if words[0] != "ok" {
		return nil, fmt.Errorf("%s", answer)
	}
	var results [][]byte
	for _, w := range words[1:] {
		results = append(results, must(hex.DecodeString(w))(b.t))
	}
	return results, nil
}

// get is ask of what is not refused.
func (b *bouncyCastle) get(operation string, args ...any) [][]byte {
	b.t.Helper()
	results, err := b.ask(operation, args...)
	if err != nil {
		b.t.Fatalf("%s: %v", operation, err)
	}
	return results
}

// told is ask of which only counts whether it is refused.
func (b *bouncyCastle) told(operation string, args ...any) error {
	b.t.Helper()
	_, err := b.ask(operation, args...)
	return err
}

// generates says how Bouncy Castle makes keys of a spec. RSA keys of more bits take it many seconds.
var generates = map[crypt.Spec]string{
	crypt.RSA2048: "RSA:2048", crypt.P256: "EC:P-256", crypt.P384: "EC:P-384", crypt.P521: "EC:P-521", crypt.Ed25519: "Ed25519",
	crypt.MLDSA44: "ML-DSA-44", crypt.MLDSA65: "ML-DSA-65", crypt.MLDSA87: "ML-DSA-87",
	crypt.MLKEM768: "ML-KEM-768", crypt.MLKEM1024: "ML-KEM-1024",
}

// pairs calls f with the material and public key of the sample, and of a pair made there, which is
// imported where the spec can be; the public key is the material's here too.
func (b *bouncyCastle) pairs(v sample, f func(material, public []byte)) {
	b.t.Helper()
	pairs := [][][]byte{{v.Material, v.PublicKey}}
	if generates[v.Spec] != "" {
		pair := b.get("generate", generates[v.Spec])
		if must(crypt.Table().Row(v.Spec))(b.t).Import {
			k := wrappingKey(b.t, crypt.RSA4096)
			wrapped := must(k.Public().WrapMaterial(rand.Reader, crypt.RSAAESKeyWrap, newSecret(pair[0])))(b.t)
			pair[0] = secret.Expose(must(k.UnwrapMaterial(crypt.RSAAESKeyWrap, v.Spec, wrapped))(b.t))
		}
		pairs = append(pairs, pair)
	}
	for _, pair := range pairs {
		if err := publicIs(v.Spec, newSecret(pair[0]), pair[1]); err != nil {
			b.t.Errorf("%s: public key of the material: %v", v.Spec, err)
		}
		f(pair[0], pair[1])
	}
}

// publicIs tells whether a public key is that of material.
func publicIs(s crypt.Spec, material secret.Bytes, public []byte) error {
	p, err := crypt.PublicKeyOf(s, material)
	if err != nil {
		return err
	}
	return same(p.Bytes(), public)
}

// jcaNames are the names of the Java Cryptography Architecture.
var jcaNames = map[crypt.Algorithm]string{
	crypt.PSSWithSHA256: "SHA256withRSAandMGF1", crypt.PSSWithSHA384: "SHA384withRSAandMGF1", crypt.PSSWithSHA512: "SHA512withRSAandMGF1",
	crypt.PKCS1WithSHA256: "SHA256withRSA", crypt.PKCS1WithSHA384: "SHA384withRSA", crypt.PKCS1WithSHA512: "SHA512withRSA",
	crypt.ECDSAWithSHA256: "SHA256withECDSA", crypt.ECDSAWithSHA384: "SHA384withECDSA", crypt.ECDSAWithSHA512: "SHA512withECDSA",
	crypt.PureEd25519: "Ed25519", crypt.Ed25519ph: "Ed25519ph",
	crypt.HMACWithSHA224: "HmacSHA224", crypt.HMACWithSHA256: "HmacSHA256", crypt.HMACWithSHA384: "HmacSHA384", crypt.HMACWithSHA512: "HmacSHA512",
	crypt.OAEPWithSHA1: "SHA1", crypt.OAEPWithSHA256: "SHA256",
}

// signatures: each verifies what the other signed, by the message, whatever was given to be signed.
func (b *bouncyCastle) signatures() {
	forEachSpec(b.t, crypt.SignVerify, func(use crypt.Use, v sample) {
		b.pairs(v, func(material, public []byte) {
			for _, a := range use.Algorithms {
				b.signed(v.Spec, a, material, public)
			}
		})
	})
}

func (b *bouncyCastle) signed(s crypt.Spec, a crypt.Algorithm, material, public []byte) {
	name := jcaNames[a]
	if a == crypt.MLDSA {
		name = generates[s]
	}
	message := []byte("Haven keeps the record.")
	if a == crypt.Ed25519ph {
		message = digestOf(a, message) // which is its message: it is hashed once more
	}
	k := must(crypt.OpenSigningKey(s, newSecret(material), rand.Reader))(b.t)
	p := must(crypt.ParsePublicKey(s, public))(b.t)
	row := must(crypt.Table().Algorithm(a))(b.t)
	for _, mt := range row.Signs {
		ours := must(k.Sign(a, mt, b.given(a, mt, public, message)))(b.t)
		b.there(s, a, b.told("verify", name, public, message, ours))
		b.refused(s, a, b.told("verify", name, public, message, altered(ours)))
		b.refused(s, a, b.told("verify", name, public, altered(message), ours))
	}
	signatures := b.get("sign", name, material, message)
	if a == crypt.MLDSA {
		signatures = append(signatures, b.get("sign-mu", name, material, b.get("mu", public, message)[0])...)
	}
	for _, theirs := range signatures {
		for _, mt := range row.Verifies {
			in := b.given(a, mt, public, message)
			b.here(s, a, p.Verify(a, mt, in, theirs))
			b.refused(s, a, p.Verify(a, mt, in, altered(theirs)))
			b.refused(s, a, p.Verify(a, mt, altered(in), theirs))
		}
	}
}

// given is what this package is given to sign a message as one of a type.
func (b *bouncyCastle) given(a crypt.Algorithm, mt crypt.MessageType, public, message []byte) []byte {
	switch {
	case mt == crypt.ExternalMu:
		return b.get("mu", public, message)[0]
	case mt == crypt.Digest && a != crypt.Ed25519ph:
		return digestOf(a, message)
	}
	return message
}

// digestOf hashes with the algorithm's hash.
func digestOf(a crypt.Algorithm, message []byte) []byte {
	h := map[int]crypto.Hash{32: crypto.SHA256, 48: crypto.SHA384, 64: crypto.SHA512}[crypt.HashSize(a)].New()
	h.Write(message)
	return h.Sum(nil)
}

func (b *bouncyCastle) macs() {
	forEachSpec(b.t, crypt.GenerateVerifyMAC, func(use crypt.Use, v sample) {
		a := use.Algorithms[0]
		k := must(crypt.OpenMACKey(v.Spec, v.material()))(b.t)
		theirs := b.get("mac", jcaNames[a], v.Material, []byte("message"))[0]
		b.there(v.Spec, a, same(must(k.Generate(a, []byte("message")))(b.t), theirs))
		b.here(v.Spec, a, k.Verify(a, []byte("message"), theirs))
		b.refused(v.Spec, a, k.Verify(a, []byte("message"), altered(theirs)))
	})
}

// agreement: with either's private key the secret is the same.
func (b *bouncyCastle) agreement() {
	forEachSpec(b.t, crypt.KeyAgreement, func(_ crypt.Use, v sample) {
		pair := b.get("generate", generates[v.Spec])
		private, public := pair[0], pair[1]
		k := must(crypt.OpenAgreementKey(v.Spec, v.material()))(b.t)
		ours := secret.Expose(must(k.Agree(public))(b.t))
		b.here(v.Spec, crypt.ECDH, same(ours, b.get("agree", private, v.PublicKey)[0]))
		b.there(v.Spec, crypt.ECDH, same(ours, b.get("agree", v.Material, public)[0]))
		_, err := k.Agree(altered(public))
		b.refused(v.Spec, crypt.ECDH, err)
		b.refused(v.Spec, crypt.ECDH, b.told("agree", private, altered(v.PublicKey)))
	})
}

// encryption: each decrypts what the other encrypted.
func (b *bouncyCastle) encryption() {
	for _, s := range []crypt.Spec{crypt.RSA2048, crypt.RSA3072, crypt.RSA4096} {
		v := sampleOf(b.t, s)
		b.pairs(v, func(material, public []byte) {
			k := must(crypt.OpenOAEPKey(s, newSecret(material)))(b.t)
			p := must(crypt.ParsePublicKey(s, public))(b.t)
			for _, a := range []crypt.Algorithm{crypt.OAEPWithSHA1, crypt.OAEPWithSHA256} {
				ours := must(p.Encrypt(rand.Reader, a, []byte("plaintext")))(b.t)
				b.there(s, a, same(b.get("decrypt", jcaNames[a], material, ours)[0], []byte("plaintext")))
				b.refused(s, a, b.told("decrypt", jcaNames[a], material, altered(ours)))
				theirs := b.get("encrypt", jcaNames[a], public, []byte("plaintext"))[0]
				got, err := k.Decrypt(a, theirs)
				if err == nil {
					err = same(got, []byte("plaintext"))
				}
				b.here(s, a, err)
				_, err = k.Decrypt(a, altered(theirs))
				b.refused(s, a, err)
			}
		})
	}
}

// imports: keys made and wrapped there are imported here, and the other way round.
func (b *bouncyCastle) imports() {
	const a = crypt.RSAAESKeyWrap
	w := sampleOf(b.t, crypt.RSA4096)
	k := wrappingKey(b.t, crypt.RSA4096)
	n := len(must(k.Public().Encrypt(rand.Reader, crypt.OAEPWithSHA256, nil))(b.t))
	for _, s := range []crypt.Spec{crypt.RSA2048, crypt.P256, crypt.P384, crypt.P521, crypt.Ed25519} {
		pair, kek := b.get("generate", generates[s]), sequence(32, 7)
		key := pair[0]
		wrapped := append(b.get("encrypt", "SHA256", w.PublicKey, kek)[0], b.get("wrap", kek, key)[0]...)
		m, err := k.UnwrapMaterial(a, s, wrapped)
		if err == nil {
			err = publicIs(s, m, pair[1])
		}
		b.here(s, a, err)
		_, err = k.UnwrapMaterial(a, s, append(wrapped[:n:n], altered(wrapped[n:])...))
		b.refused(s, a, err)

		ours := must(k.Public().WrapMaterial(rand.Reader, a, newSecret(key)))(b.t)
		kek = b.get("decrypt", "SHA256", w.Material, ours[:n])[0]
		b.there(s, a, same(b.get("unwrap", kek, ours[n:])[0], key))
		b.refused(s, a, b.told("unwrap", kek, altered(ours[n:])))

		if s == crypt.Ed25519 { // as PKCS #8 of version 2, which has the public key too
			public := pair[1][len(pair[1])-32:]
			key = bytes.Join([][]byte{{0x30, 0x51, 2, 1, 1}, key[5:], {0x81, 0x21, 0}, public}, nil)
			b.get("sign", generates[s], key, kek)
			m, err := k.UnwrapMaterial(a, s, must(k.Public().WrapMaterial(rand.Reader, a, newSecret(key)))(b.t))
			if err == nil {
				err = publicIs(s, m, pair[1])
			}
			b.here(s, a, err)
			key[len(key)-1] ^= 1 // a public key that is another's
			_, err = k.UnwrapMaterial(a, s, must(k.Public().WrapMaterial(rand.Reader, a, newSecret(key)))(b.t))
			b.refused(s, a, err)
		}
	}
}

// encapsulation: each decapsulates what the other encapsulated, with keys of both; and of an altered
// ciphertext both make the same other secret.
func (b *bouncyCastle) encapsulation() {
	const a = crypt.MLKEM
	forEachSpec(b.t, crypt.EncapsulateDecapsulate, func(_ crypt.Use, v sample) {
		name := generates[v.Spec]
		b.pairs(v, func(seed, public []byte) {
			if err := same(b.get("public", name, seed)[0], public); err != nil {
				b.t.Errorf("%s: public key of the seed: %v", v.Spec, err)
			}
			k := must(crypt.OpenKEMKey(v.Spec, newSecret(seed)))(b.t)
			p := must(crypt.ParsePublicKey(v.Spec, public))(b.t)
			shared, ciphertext, err := p.Encapsulate()
			if err != nil {
				b.t.Fatal(err)
			}
			b.there(v.Spec, a, same(b.get("decapsulate", name, seed, ciphertext)[0], secret.Expose(shared)))
			theirs := b.get("encapsulate", public)
			got := must(k.Decapsulate(theirs[1]))(b.t)
			b.here(v.Spec, a, same(secret.Expose(got), theirs[0]))

			rejected := secret.Expose(must(k.Decapsulate(altered(theirs[1])))(b.t))
			b.refused(v.Spec, a, same(rejected, theirs[0]))
			if err := same(rejected, b.get("decapsulate", name, seed, altered(theirs[1]))[0]); err != nil {
				b.t.Errorf("%s: implicit rejection: %v", v.Spec, err)
			}
		})
	})
}

// sealing: each opens what the other sealed, commitment included, with keys of both.
func (b *bouncyCastle) sealing() {
	forEachSpec(b.t, crypt.SealOpen, func(_ crypt.Use, v sample) {
		name := map[crypt.Spec]string{crypt.XWing: "X-Wing", crypt.MLKEM768P256: "MLKEM768-P256"}[v.Spec]
		b.sealed(v.Spec, name, v.Material[2:34], v.Material[34:])
		pair := b.get("hpke-generate", name)
		b.sealed(v.Spec, name, pair[0], pair[1])
	})
}

func (b *bouncyCastle) sealed(s crypt.Spec, name string, seed, public []byte) {
	const label = "haven/hpke/v1 commitment"
	kem := sampleOf(b.t, s).Material[:2]
	k := must(crypt.OpenHPKEKey(s, testID, 3, newSecret(bytes.Join([][]byte{kem, seed, public}, nil))))(b.t)
	c, plaintext := contextOf(b.t, "patient", "p-1"), []byte("plaintext")

	header, enc, commitment, ciphertext := sealedParts(s, must(k.Seal(c, plaintext))(b.t))
	info := sealedInfo(header, c)
	open := func(enc, info, ciphertext []byte) ([][]byte, error) {
		return b.ask("hpke-open", name, seed, public, info, []byte(label), enc, ciphertext)
	}
	got, err := open(enc, info, ciphertext)
	if err == nil {
		err = same(bytes.Join(got, nil), append(bytes.Clone(commitment), plaintext...))
	}
	b.there(s, crypt.HPKE, err)
	for _, bad := range [][3][]byte{{altered(enc), info, ciphertext}, {enc, altered(info), ciphertext}, {enc, info, altered(ciphertext)}} {
		_, err := open(bad[0], bad[1], bad[2])
		b.refused(s, crypt.HPKE, err)
	}

	header = binary.BigEndian.AppendUint32(bytes.Clone(header[:20]), 3)
	theirs := b.get("hpke-seal", name, public, sealedInfo(header, c), []byte(label), plaintext)
	message := bytes.Join(append([][]byte{header}, theirs...), nil)
	opened, err := k.Open(c, message)
	if err == nil {
		err = same(opened, plaintext)
	}
	b.here(s, crypt.HPKE, err)
	for i := range theirs {
		bad := [][]byte{header, theirs[0], theirs[1], theirs[2]}
		bad[1+i] = altered(theirs[i])
		_, err := k.Open(c, bytes.Join(bad, nil))
		b.refused(s, crypt.HPKE, err)
	}
}
