package crypt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"testing"

	"filippo.io/mldsa"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

// primitive is what a signing key is measured against: the library's functions alone, on a parsed
// key.
type primitive struct {
	spec   crypt.Spec
	a      crypt.Algorithm
	sign   func(key any, message []byte) ([]byte, error)
	verify func(key any, message, signature []byte) bool
}

var primitives = []primitive{
	{crypt.P256, crypt.ECDSAWithSHA256, func(key any, message []byte) ([]byte, error) {
		d := sha256.Sum256(message)
		return ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), d[:])
	}, func(key any, message, signature []byte) bool {
		d := sha256.Sum256(message)
		return ecdsa.VerifyASN1(&key.(*ecdsa.PrivateKey).PublicKey, d[:], signature)
	}},
	{crypt.P384, crypt.ECDSAWithSHA384, func(key any, message []byte) ([]byte, error) {
		d := sha512.Sum384(message)
		return ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), d[:])
	}, func(key any, message, signature []byte) bool {
		d := sha512.Sum384(message)
		return ecdsa.VerifyASN1(&key.(*ecdsa.PrivateKey).PublicKey, d[:], signature)
	}},
	{crypt.Ed25519, crypt.PureEd25519, func(key any, message []byte) ([]byte, error) {
		return ed25519.Sign(key.(ed25519.PrivateKey), message), nil
	}, func(key any, message, signature []byte) bool {
		return ed25519.Verify(key.(ed25519.PrivateKey).Public().(ed25519.PublicKey), message, signature)
	}},
	{crypt.RSA2048, crypt.PSSWithSHA256, func(key any, message []byte) ([]byte, error) {
		d := sha256.Sum256(message)
		return rsa.SignPSS(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA256, d[:], &rsa.PSSOptions{SaltLength: 32})
	}, func(key any, message, signature []byte) bool {
		d := sha256.Sum256(message)
		return rsa.VerifyPSS(&key.(*rsa.PrivateKey).PublicKey, crypto.SHA256, d[:], signature, &rsa.PSSOptions{SaltLength: 32}) == nil
	}},
	{crypt.MLDSA65, crypt.MLDSA, func(key any, message []byte) ([]byte, error) {
		return key.(*mldsa.PrivateKey).Sign(nil, message, nil)
	}, func(key any, message, signature []byte) bool {
		return mldsa.Verify(key.(*mldsa.PrivateKey).PublicKey(), message, signature, nil) == nil
	}},
}

// parsed is the library's key of a sample.
func parsed(b *testing.B, v sample) any {
	b.Helper()
	if v.Spec == crypt.MLDSA65 {
		return must(mldsa.NewPrivateKey(mldsa.MLDSA65(), v.Material))(b)
	}
	return must(x509.ParsePKCS8PrivateKey(v.Material))(b)
}

// BenchmarkSign compares signing a message of 256 bytes with the primitive.
func BenchmarkSign(b *testing.B) {
	message := bytes.Repeat([]byte{7}, 256)
	for _, p := range primitives {
		v := sampleOf(b, p.spec)
		key, k := parsed(b, v), must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(b)
		b.Run(string(p.a)+"/primitive", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(p.sign(key, message))(b)
			}
		})
		b.Run(string(p.a)+"/haven", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(k.Sign(p.a, crypt.Raw, message))(b)
			}
		})
	}
}

// BenchmarkVerify compares verifying with the primitive.
func BenchmarkVerify(b *testing.B) {
	message := bytes.Repeat([]byte{7}, 256)
	for _, p := range primitives {
		v := sampleOf(b, p.spec)
		key, k := parsed(b, v), must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(b)
		signature := must(k.Sign(p.a, crypt.Raw, message))(b)
		b.Run(string(p.a)+"/primitive", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.verify(key, message, signature) {
					b.Fatal("refused")
				}
			}
		})
		b.Run(string(p.a)+"/haven", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := k.Verify(p.a, crypt.Raw, message, signature); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGenerateMAC compares a MAC of 256 bytes with the primitive.
func BenchmarkGenerateMAC(b *testing.B) {
	message := bytes.Repeat([]byte{7}, 256)
	v := sampleOf(b, crypt.HMAC256)
	k := must(crypt.OpenMACKey(v.Spec, v.material()))(b)
	b.Run("primitive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h := hmac.New(sha256.New, v.Material)
			h.Write(message)
			h.Sum(nil)
		}
	})
	b.Run("haven", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(k.Generate(crypt.HMACWithSHA256, message))(b)
		}
	})
}

// BenchmarkOpen is what the first use of a version costs over the later ones.
func BenchmarkOpen(b *testing.B) {
	for _, row := range crypt.Table().Specs {
		for _, u := range row.Uses[:1] {
			if row.Spec == crypt.SymmetricDefault {
				continue // BenchmarkNewKey
			}
			m := sampleOf(b, row.Spec).material()
			b.Run(string(row.Spec), func(b *testing.B) {
				for b.Loop() {
					if _, err := openers[u.Usage](row.Spec, m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkHPKE seals and opens 4,096 bytes.
func BenchmarkHPKE(b *testing.B) {
	for _, s := range []crypt.Spec{crypt.XWing, crypt.MLKEM768P256} {
		k := openHPKE(b, sampleOf(b, s), testID, 1)
		message := must(k.Seal(blob.Context{}, make([]byte, 4096)))(b)
		b.Run(string(s)+"/seal", func(b *testing.B) {
			for b.Loop() {
				must(k.Seal(blob.Context{}, message[:4096]))(b)
			}
		})
		b.Run(string(s)+"/open", func(b *testing.B) {
			for b.Loop() {
				must(k.Open(blob.Context{}, message))(b)
			}
		})
	}
}
