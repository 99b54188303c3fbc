package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

func openHPKE(t testing.TB, v sample, id [16]byte, version uint32) *crypt.HPKEKey {
	t.Helper()
	return must(crypt.OpenHPKEKey(v.Spec, id, version, v.material()))(t)
}

func TestSealAndOpen(t *testing.T) {
	forEachSpec(t, crypt.SealOpen, func(_ crypt.Use, v sample) {
		k, c := openHPKE(t, v, testID, 7), contextOf(t, "patient", "p-1")
		for _, n := range []int{0, 1, 16, 4096, 1 << 20} {
			plaintext := sequence(n, 0)
			message := must(k.Seal(c, plaintext))(t)
			if s, id, version, err := crypt.SealedTo(message); s != v.Spec || id != testID || version != 7 || err != nil {
				t.Errorf("SealedTo: %s %x %d %v", s, id, version, err)
			}
			got, err := k.Open(c, message)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
			}
		}
		for name, other := range map[string]*crypt.HPKEKey{
			"another id": openHPKE(t, v, [16]byte{9}, 7), "another version": openHPKE(t, v, testID, 8),
			"another key": must(crypt.OpenHPKEKey(v.Spec, testID, 7, must(crypt.GenerateMaterial(v.Spec, rand.Reader))(t)))(t),
		} {
			if p, err := other.Open(c, must(k.Seal(c, []byte("x")))(t)); err != crypt.ErrDecrypt || p != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := k.Open(contextOf(t, "patient", "p-2"), must(k.Seal(c, nil))(t)); err != crypt.ErrDecrypt {
			t.Errorf("another context: %v", err)
		}
	})
}

// TestSealedAltered alters bits of every byte of a message, cuts it at every length and lengthens it.
func TestSealedAltered(t *testing.T) {
	forEachSpec(t, crypt.SealOpen, func(_ crypt.Use, v sample) {
		k, c := openHPKE(t, v, testID, 3), contextOf(t, "patient", "p-1")
		message := []byte(v.Made[0].Output)
		for i := range message {
			bad := bytes.Clone(message)
			bad[i] ^= 1 << (i % 8)
			if _, err := k.Open(c, bad); err != crypt.ErrDecrypt {
				t.Fatalf("byte %d altered: %v", i, err)
			}
			if _, err := k.Open(c, message[:i]); err != crypt.ErrDecrypt {
				t.Fatalf("cut to %d bytes: %v", i, err)
			}
		}
		if _, err := k.Open(c, append(bytes.Clone(message), 0)); err != crypt.ErrDecrypt {
			t.Errorf("one byte more: %v", err)
		}
		if _, err := k.Open(c, message); err != nil {
			t.Errorf("unaltered: %v", err)
		}
	})
}

// TestSealedFormat opens a message by the format's description and the standard library alone, and
// seals one the same way; a commitment that is another context's is refused although the rest opens.
func TestSealedFormat(t *testing.T) {
	forEachSpec(t, crypt.SealOpen, func(_ crypt.Use, v sample) {
		kem := must(hpke.NewKEM(binary.BigEndian.Uint16(v.Material)))(t)
		private := must(kem.NewPrivateKey(v.Material[2:34]))(t)
		encSize := map[crypt.Spec]int{crypt.XWing: 1120, crypt.MLKEM768P256: 1153}[v.Spec]
		encoded := contextOf(t, "patient", "p-1").Encoded()
		context := sha256.Sum256(encoded)
		message := v.Made[0].Output
		header := message[:24]
		if want := "485001" + map[crypt.Spec]string{crypt.XWing: "01", crypt.MLKEM768P256: "02"}[v.Spec] + hex.EncodeToString(testID[:]) + "00000003"; hex.EncodeToString(header) != want {
			t.Errorf("header %x, want %s", header, want)
		}
		info := bytes.Join([][]byte{[]byte("haven/hpke/v1\x00"), header, context[:]}, nil)
		r := must(hpke.NewRecipient(message[24:24+encSize], private, hpke.HKDFSHA256(), hpke.AES256GCM(), info))(t)
		commitment := must(r.Export("haven/hpke/v1 commitment", 32))(t)
		plaintext := must(r.Open(nil, message[24+encSize+32:]))(t)
		if !bytes.Equal(commitment, message[24+encSize:][:32]) || !bytes.Equal(plaintext, v.Made[0].Message) {
			t.Errorf("%s is sealed otherwise than described", v.Spec)
		}

		k := openHPKE(t, v, testID, 3)
		enc, s, err := hpke.NewSender(private.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), info)
		if err != nil {
			t.Fatal(err)
		}
		sealed := must(s.Seal(nil, []byte("x")))(t)
		for _, c := range []struct {
			label string
			want  error
		}{{"haven/hpke/v1 commitment", nil}, {"another commitment", crypt.ErrDecrypt}} {
			commitment := must(s.Export(c.label, 32))(t)
			_, err := k.Open(contextOf(t, "patient", "p-1"), bytes.Join([][]byte{header, enc, commitment, sealed}, nil))
			if err != c.want {
				t.Errorf("%s: %v", c.label, err)
			}
		}
	})
}

// TestHPKEReload: material whose public key is not that of its seed, or whose KEM is another, is
// refused.
func TestHPKEReload(t *testing.T) {
	forEachSpec(t, crypt.SealOpen, func(_ crypt.Use, v sample) {
		for _, at := range []int{0, 1, 2, 33, 34, len(v.Material) - 1} {
			bad := bytes.Clone(v.Material)
			bad[at] ^= 1
			if _, err := crypt.OpenHPKEKey(v.Spec, testID, 1, newSecret(bad)); err != crypt.ErrMaterial {
				t.Errorf("byte %d altered: %v", at, err)
			}
		}
	})
}

func TestHPKELimits(t *testing.T) {
	forEachSpec(t, crypt.SealOpen, func(_ crypt.Use, v sample) {
		k := openHPKE(t, v, testID, 1)
		if _, err := k.Seal(blob.Context{}, make([]byte, blob.MaxMessage+1)); err != crypt.ErrSize {
			t.Errorf("a message too long: %v", err)
		}
		if _, err := k.Public().Seal(testID, 0, blob.Context{}, nil); err != crypt.ErrKey {
			t.Errorf("sealing to version 0: %v", err)
		}
		if _, err := crypt.OpenHPKEKey(v.Spec, testID, 0, v.material()); err != crypt.ErrKey {
			t.Errorf("opening version 0: %v", err)
		}
		message := must(k.Seal(blob.Context{}, nil))(t)
		zero := bytes.Clone(message)
		clear(zero[20:24])
		for what, b := range map[string][]byte{
			"version 0": zero, "nothing": nil, "a header": message[:24], "too long": append(message, make([]byte, blob.MaxMessage+1)...),
		} {
			if _, _, _, err := crypt.SealedTo(b); err != crypt.ErrDecrypt {
				t.Errorf("%s: %v", what, err)
			}
		}
		k.Destroy()
		if _, err := k.Open(blob.Context{}, message); err != crypt.ErrDestroyed {
			t.Errorf("opening after Destroy: %v", err)
		}
		if b, err := k.Public().PEM(); err != crypt.ErrEncoding || b != nil {
			t.Errorf("PEM: %v", err)
		}
	})
	v := sampleOf(t, crypt.P256)
	p := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
	if _, err := p.Seal(testID, 1, blob.Context{}, nil); err != crypt.ErrSpec {
		t.Errorf("sealing to a signing key: %v", err)
	}
}

// TestHPKEVectors: the seeds of the published vectors of both KEMs give their public keys, and
// their first ciphertexts open. They use other AEADs and KDFs than Haven, so that the last step is
// the library's alone; the vectors of other KEMs do not apply.
func TestHPKEVectors(t *testing.T) {
	type vector struct {
		KEM  uint16   `json:"kem_id"`
		KDF  uint16   `json:"kdf_id"`
		AEAD uint16   `json:"aead_id"`
		Info hexBytes `json:"info"`
		SK   hexBytes `json:"skRm"`
		PK   hexBytes `json:"pkRm"`
		Enc  hexBytes `json:"enc"`
		Made []struct {
			AAD hexBytes `json:"aad"`
			CT  hexBytes `json:"ct"`
			PT  hexBytes `json:"pt"`
		} `json:"encryptions"`
	}
	dir := folder(t, "hpke")
	for file, want := range map[string][2]int{"hpke-pq.json": {4, 9}, "rfc9180.json": {0, 24}} {
		ran, other := 0, 0
		for _, v := range read[[]vector](t, filepath.Join(dir, file)) {
			spec := map[uint16]crypt.Spec{0x647a: crypt.XWing, 0x0050: crypt.MLKEM768P256}[v.KEM]
			if spec == "" {
				other++
				continue
			}
			ran++
			material := append(append(binary.BigEndian.AppendUint16(nil, v.KEM), v.SK...), v.PK...)
			p, err := crypt.PublicKeyOf(spec, newSecret(material))
			if err == crypt.ErrUnsupported {
				continue
			}
			if err != nil || !bytes.HasSuffix(p.Bytes(), v.PK) {
				t.Errorf("KEM %#x: %v", v.KEM, err)
			}
			fips140.WithoutEnforcement(func() {
				k := must(must(hpke.NewKEM(v.KEM))(t).NewPrivateKey(v.SK))(t)
				r := must(hpke.NewRecipient(v.Enc, k, must(hpke.NewKDF(v.KDF))(t), must(hpke.NewAEAD(v.AEAD))(t), v.Info))(t)
				if _, err := r.Open(v.Made[0].AAD, v.Made[0].CT); err != nil {
					t.Errorf("KEM %#x: %v", v.KEM, err)
				}
			})
		}
		if ran != want[0] || other != want[1] {
			t.Errorf("%s: %d vectors, and %d of other KEMs", file, ran, other)
		}
		t.Logf("%s: ran %d, pinned 0, not applicable %d: KEMs that no spec has", file, ran, other)
	}
}
