package crypt_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"filippo.io/mldsa"

	"github.com/haven-health/haven/internal/crypt"
)

var messageTypes = []crypt.MessageType{crypt.Raw, crypt.Digest, crypt.ExternalMu, "", "raw"}

// TestSignMatrix signs and verifies with every signing key, every algorithm and every type of
// message: what the table says works, everything else is ErrAlgorithm.
func TestSignMatrix(t *testing.T) {
	forEachSpec(t, crypt.SignVerify, func(use crypt.Use, v sample) {
		k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
		for _, row := range crypt.Table().Algorithms {
			for _, mt := range messageTypes {
				message := messageOf(t, row.Algorithm, mt)
				signature, err := k.Sign(row.Algorithm, mt, message)
				has := slices.Contains(use.Algorithms, row.Algorithm)
				if !has || !slices.Contains(row.Signs, mt) {
					if err != crypt.ErrAlgorithm || signature != nil {
						t.Errorf("%s signs %s %q: %v", v.Spec, row.Algorithm, mt, err)
					}
				} else if err != nil {
					t.Errorf("%s, %s %s: %v", v.Spec, row.Algorithm, mt, err)
				}
				want := error(nil)
				if !has || !slices.Contains(row.Verifies, mt) {
					want = crypt.ErrAlgorithm
				}
				if err := k.Verify(row.Algorithm, mt, message, signature); err != want {
					t.Errorf("%s verifies %s %q: %v", v.Spec, row.Algorithm, mt, err)
				}
			}
		}
	})
}

// TestSignaturesAltered: a signature of something else, under another key or algorithm, altered,
// cut, longer or absent, is refused with the one error.
func TestSignaturesAltered(t *testing.T) {
	forEachSpec(t, crypt.SignVerify, func(use crypt.Use, v sample) {
		p := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
		for _, m := range v.Made {
			if !slices.Contains(use.Algorithms, m.Algorithm) {
				continue
			}
			refuse := func(what string, a crypt.Algorithm, message, signature []byte) {
				t.Helper()
				if err := p.Verify(a, m.MessageType, message, signature); err != crypt.ErrSignature {
					t.Errorf("%s %s %s, %s: %v", v.Spec, m.Algorithm, m.MessageType, what, err)
				}
			}
			for i := 0; i < len(m.Output); i += 1 + len(m.Output)/40 {
				bad := bytes.Clone(m.Output)
				bad[i] ^= 1 << (i % 8)
				refuse("altered", m.Algorithm, m.Message, bad)
				refuse("cut", m.Algorithm, m.Message, m.Output[:i])
			}
			refuse("longer", m.Algorithm, m.Message, append(bytes.Clone(m.Output), 0))
			message := bytes.Clone(m.Message)
			message[0] ^= 1
			refuse("another message", m.Algorithm, message, m.Output)
			for _, other := range use.Algorithms {
				if other != m.Algorithm && m.MessageType == crypt.Raw && other != crypt.Ed25519ph {
					refuse("another algorithm", other, m.Message, m.Output)
				}
			}
		}
	})
}

// TestSignLimits: 4,096 bytes pass and one more does not; a digest is as long as the hash.
func TestSignLimits(t *testing.T) {
	forEachSpec(t, crypt.SignVerify, func(use crypt.Use, v sample) {
		k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
		for _, a := range use.Algorithms {
			for _, mt := range must(crypt.Table().Algorithm(a))(t).Signs {
				good, bad := []int{0, crypt.MaxSigned}, []int{crypt.MaxSigned + 1}
				if mt != crypt.Raw {
					n := len(messageOf(t, a, mt))
					good, bad = []int{n}, []int{0, n - 1, n + 1}
				}
				for _, n := range good {
					if _, err := k.Sign(a, mt, make([]byte, n)); err != nil {
						t.Errorf("%s %s of %d bytes: %v", a, mt, n, err)
					}
				}
				for _, n := range bad {
					if _, err := k.Sign(a, mt, make([]byte, n)); err != crypt.ErrSize {
						t.Errorf("%s %s of %d bytes: %v", a, mt, n, err)
					}
					if err := k.Verify(a, mt, make([]byte, n), nil); err != crypt.ErrSize && err != crypt.ErrAlgorithm {
						t.Errorf("verifying %s %s of %d bytes: %v", a, mt, n, err)
					}
				}
			}
		}
	})
}

// TestDigestIsTheHashOfRaw: a signature made of a message verifies by its digest, and back. The
// digest of Ed25519ph alone is hashed once more.
func TestDigestIsTheHashOfRaw(t *testing.T) {
	v := sampleOf(t, crypt.P256)
	k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
	message := []byte("message")
	digest := sha256.Sum256(message)
	byRaw, byDigest := must(k.Sign(crypt.ECDSAWithSHA256, crypt.Raw, message))(t), must(k.Sign(crypt.ECDSAWithSHA256, crypt.Digest, digest[:]))(t)
	if k.Verify(crypt.ECDSAWithSHA256, crypt.Digest, digest[:], byRaw) != nil || k.Verify(crypt.ECDSAWithSHA256, crypt.Raw, message, byDigest) != nil {
		t.Error("RAW and DIGEST differ")
	}

	v = sampleOf(t, crypt.Ed25519)
	ed := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
	once := sha512.Sum512(message)
	twice := sha512.Sum512(once[:])
	signature := must(ed.Sign(crypt.Ed25519ph, crypt.Digest, once[:]))(t)
	public := must(x509.ParsePKIXPublicKey(v.PublicKey))(t).(ed25519.PublicKey)
	ph := &ed25519.Options{Hash: crypto.SHA512}
	if err := ed25519.VerifyWithOptions(public, twice[:], signature, ph); err != nil {
		t.Errorf("Ed25519ph of the digest as the message: %v", err)
	}
	if ed25519.VerifyWithOptions(public, once[:], signature, ph) == nil {
		t.Error("the digest was taken for the prehash")
	}
}

// TestExternalMu: what is signed by the µ of a message (FIPS 204, algorithm 7, line 6, with an empty
// context) verifies by the message, and by no other.
func TestExternalMu(t *testing.T) {
	for s, parameters := range map[crypt.Spec]mldsa.Parameters{
		crypt.MLDSA44: mldsa.MLDSA44(), crypt.MLDSA65: mldsa.MLDSA65(), crypt.MLDSA87: mldsa.MLDSA87(),
	} {
		if crypt.Supported(s, crypt.SignVerify) == crypt.ErrUnsupported {
			continue
		}
		v := sampleOf(t, s)
		k := must(crypt.OpenSigningKey(s, v.material(), rand.Reader))(t)
		message := []byte("message")
		tr := sha3.SumSHAKE256(v.PublicKey[22:], 64) // after the header of SubjectPublicKeyInfo
		mu := sha3.SumSHAKE256(slices.Concat(tr, []byte{0, 0}, message), 64)
		signature := must(k.Sign(crypt.MLDSA, crypt.ExternalMu, mu))(t)
		if err := k.Verify(crypt.MLDSA, crypt.Raw, message, signature); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if err := k.Verify(crypt.MLDSA, crypt.Raw, mu, signature); err != crypt.ErrSignature {
			t.Errorf("%s, µ as the message: %v", s, err)
		}
		if got := must(k.Public().ExternalMu(iotest.OneByteReader(bytes.NewReader(message))))(t); !bytes.Equal(got, mu) {
			t.Errorf("%s: µ is computed as %x", s, got)
		}
		if _, err := k.Public().ExternalMu(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s, a message that breaks: %v", s, err)
		}
		long := bytes.Repeat(message, 1<<17)
		mu = must(k.Public().ExternalMu(bytes.NewReader(long)))(t)
		signature = must(k.Sign(crypt.MLDSA, crypt.ExternalMu, mu))(t)
		public := must(mldsa.NewPublicKey(parameters, v.PublicKey[22:]))(t)
		if mldsa.Verify(public, long, signature, nil) != nil || mldsa.Verify(public, long[1:], signature, nil) == nil {
			t.Errorf("%s: the signature of a long message", s)
		}
	}
	if _, err := must(crypt.ParsePublicKey(crypt.P256, sampleOf(t, crypt.P256).PublicKey))(t).ExternalMu(bytes.NewReader(nil)); err != crypt.ErrSpec {
		t.Errorf("µ of an EC key: %v", err)
	}
}

// TestSigningKeyEnds: without randomness there is no PSS signature; a destroyed key signs no more
// and still verifies.
func TestSigningKeyEnds(t *testing.T) {
	v := sampleOf(t, crypt.RSA2048)
	broken := must(crypt.OpenSigningKey(v.Spec, v.material(), iotest.ErrReader(io.ErrClosedPipe)))(t)
	if s, err := broken.Sign(crypt.PSSWithSHA256, crypt.Raw, nil); s != nil || err == nil || !fips140.Enforced() && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("randomness that fails: %v", err)
	}
	k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
	signature := must(k.Sign(crypt.PKCS1WithSHA256, crypt.Raw, nil))(t)
	k.Destroy()
	k.Destroy()
	if s, err := k.Sign(crypt.PKCS1WithSHA256, crypt.Raw, nil); s != nil || err != crypt.ErrDestroyed {
		t.Errorf("signing after Destroy: %v", err)
	}
	if err := k.Verify(crypt.PKCS1WithSHA256, crypt.Raw, nil, signature); err != nil {
		t.Errorf("verifying after Destroy: %v", err)
	}
}

// TestVerifyNeedsASigningSpec: keys that do not sign do not verify either.
func TestVerifyNeedsASigningSpec(t *testing.T) {
	v := sampleOf(t, crypt.MLKEM768)
	p := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
	if err := p.Verify(crypt.ECDSAWithSHA256, crypt.Raw, nil, nil); err != crypt.ErrSpec {
		t.Error(err)
	}
}

// TestPSSParameters: salt as long as the hash, and nothing else.
func TestPSSParameters(t *testing.T) {
	v := sampleOf(t, crypt.RSA2048)
	p := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
	private := must(x509.ParsePKCS8PrivateKey(v.Material))(t).(*rsa.PrivateKey)
	digest := sha256.Sum256(nil)
	for _, n := range []int{1, 20, 32} {
		signature := must(rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: n}))(t)
		if err := p.Verify(crypt.PSSWithSHA256, crypt.Raw, nil, signature); (err == nil) != (n == 32) {
			t.Errorf("a salt of %d bytes: %v", n, err)
		}
	}
}

// TestCCTVEd25519 pins the choices that the standards leave to verifiers: no multiplication by the
// cofactor, so that a low-order residue is refused; and R is compared as encoded, so that only its
// canonical encoding passes. Of A every encoding passes.
func TestCCTVEd25519(t *testing.T) {
	type vector struct {
		Number   int
		Key, Sig hexBytes
		Msg      string
		Flags    []string
	}
	vectors := read[[]vector](t, filepath.Join(folder(t, "cctv"), "ed25519", "ed25519vectors.json"))
	prefix := sampleOf(t, crypt.Ed25519).PublicKey[:12]
	accepted := 0
	for _, v := range vectors {
		p := must(crypt.ParsePublicKey(crypt.Ed25519, append(bytes.Clone(prefix), v.Key...)))(t)
		want := crypt.ErrSignature
		if !slices.Contains(v.Flags, "low_order_residue") && !slices.Contains(v.Flags, "non_canonical_R") {
			want = nil
			accepted++
		}
		if err := p.Verify(crypt.PureEd25519, crypt.Raw, []byte(v.Msg), v.Sig); err != want {
			t.Errorf("vector %d %v: %v", v.Number, v.Flags, err)
		}
	}
	if len(vectors) != 914 || accepted == 0 {
		t.Errorf("%d vectors, %d accepted", len(vectors), accepted)
	}
	t.Logf("ed25519vectors.json: ran %d, of which %d verify; pinned 0; not applicable 0", len(vectors), accepted)
}
