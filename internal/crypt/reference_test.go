package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// message is encryption format v1 written again, from the package comment and the standard library
// alone, with salt and nonce given: what the code is compared with.
type message struct {
	ID      [16]byte
	Version uint32
	Context []byte // encoded
	Salt    [32]byte
	Nonce   [12]byte
}

func (m message) prefix() []byte {
	b := append([]byte("HC\x01\x01"), m.ID[:]...)
	return binary.BigEndian.AppendUint32(b, m.Version)
}

func (m message) header(commitment []byte) []byte {
	return bytes.Join([][]byte{m.prefix(), m.Salt[:], commitment}, nil)
}

// okm returns message key and commitment.
func (m message) okm(t testing.TB, key []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(m.Context)
	info := bytes.Join([][]byte{[]byte("haven/enc/v1"), {0}, m.prefix(), m.Salt[:], digest[:]}, nil)
	okm, err := hkdf.Expand(sha256.New, key, string(info), 64)
	if err != nil {
		t.Fatal(err)
	}
	return okm
}

func (m message) encrypt(t testing.TB, key, plaintext []byte) []byte {
	t.Helper()
	okm := m.okm(t, key)
	return m.seal(t, okm[:32], m.header(okm[32:]), plaintext)
}

// seal is the last step: GCM with the header as additional data.
func (m message) seal(t testing.TB, messageKey, header, plaintext []byte) []byte {
	t.Helper()
	var b []byte
	// FIPS 140-3 mode refuses a nonce from outside, which is just what a known answer needs.
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(messageKey)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		b = aead.Seal(append(bytes.Clone(header), m.Nonce[:]...), m.Nonce[:], plaintext, header)
	})
	return b
}

// TestEncryptIsTheReference recomputes messages from the salt and nonce that Encrypt chose.
func TestEncryptIsTheReference(t *testing.T) {
	for i := range 20 {
		key := bytes.Repeat([]byte{byte(i)}, 32)
		k := keyOver(t, testID, uint32(i+1), newSecret(key))
		c := contextOf(t, "a", "b", "number", string(rune('a'+i)))
		plaintext := bytes.Repeat([]byte{7}, i*5)
		got := encrypt(t, k, c, plaintext)
		m := message{testID, uint32(i + 1), c.Encoded(), [32]byte(got[24:56]), [12]byte(got[88:100])}
		if want := m.encrypt(t, key, plaintext); !bytes.Equal(got, want) {
			t.Errorf("%d:\n got %x\nwant %x", i, got, want)
		}
	}
}
