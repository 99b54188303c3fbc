package crypt_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

// FuzzDecrypt: nothing but the message that was encrypted decrypts, and all else is the one error.
func FuzzDecrypt(f *testing.F) {
	k := keyOver(f, example.ID, example.Version, newSecret(exampleKey))
	c, err := blob.ContextOf(exampleContext)
	if err != nil {
		f.Fatal(err)
	}
	genuine := example.encrypt(f, exampleKey, examplePlaintext)
	f.Add(genuine)
	f.Add(genuine[:blob.Overhead])
	f.Add([]byte(hex.EncodeToString(genuine)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := k.Decrypt(c, b)
		if bytes.Equal(b, genuine) {
			if err != nil || !bytes.Equal(got, examplePlaintext) {
				t.Fatalf("the message itself: %v", err)
			}
			return
		}
		if err != crypt.ErrDecrypt || got != nil {
			t.Fatalf("%x: %x, %v", b, got, err)
		}
	})
}
