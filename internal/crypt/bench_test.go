package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

var sizes = []int{32, 4096}

func BenchmarkEncrypt(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, c, plaintext := newKey(b, testID, 1), contextOf(b, "patient", "p-1"), make([]byte, n)
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if _, err := k.Encrypt(c, plaintext); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecrypt(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k, c := newKey(b, testID, 1), contextOf(b, "patient", "p-1")
			message := encrypt(b, k, c, make([]byte, n))
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if _, err := k.Decrypt(c, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPlainGCM is what the above is compared with: one key for all messages, no commitment.
func BenchmarkPlainGCM(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			block, err := aes.NewCipher(make([]byte, 32))
			if err != nil {
				b.Fatal(err)
			}
			aead, err := cipher.NewGCMWithRandomNonce(block)
			if err != nil {
				b.Fatal(err)
			}
			aad, plaintext := make([]byte, blob.HeaderLen), make([]byte, n)
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				aead.Seal(nil, nil, plaintext, aad)
			}
		})
	}
}

func BenchmarkWrapAndUnwrap(b *testing.B) {
	k, material := newKey(b, testID, 1), newSecret(make([]byte, crypt.KeySize))
	where := blob.Binding{Account: "000000000000", Purpose: "key version", ID: "0123456789abcdef", Version: 1, Spec: "SYMMETRIC_DEFAULT"}
	b.ReportAllocs()
	for b.Loop() {
		w, err := k.Wrap(where, material)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.Unwrap(where, w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	m := newMAC(b, make([]byte, 32))
	label, store, body := []byte("haven/item/v1"), make([]byte, 16), bytes.Repeat([]byte{1}, 200)
	b.ReportAllocs()
	for b.Loop() {
		m.Sum(label, store, body)
	}
}

// BenchmarkNewKey is what the first use of a key costs over the later ones.
func BenchmarkNewKey(b *testing.B) {
	material := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		k, err := crypt.NewKey(testID, 1, newSecret(material), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.Encrypt(blob.Context{}, material); err != nil {
			b.Fatal(err)
		}
	}
}
