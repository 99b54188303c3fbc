package seal_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
)

// FuzzDecodeSlot: what decodes encodes to the same bytes.
func FuzzDecodeSlot(f *testing.F) {
	for name, s := range seals(f) {
		root := newRoot(f, storeA)
		slot, err := root.Attach(f.Context(), name, s)
		if err != nil {
			f.Fatal(err)
		}
		b, err := slot.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(bytes.Replace(b, []byte(`"name"`), []byte(`"Name"`), 1))
		f.Add(bytes.Replace(b, []byte(`{`), []byte(`{"name":"x",`), 1))
		f.Add(append(b, ' '))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		slot, err := seal.DecodeSlot(b)
		if err != nil {
			if err != seal.ErrSlot {
				t.Fatalf("error %v", err)
			}
			return
		}
		if again, err := slot.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q encodes as %q, %v", b, again, err)
		}
	})
}

// FuzzKeyFile: what parses has the same text.
func FuzzKeyFile(f *testing.F) {
	f.Add(secret.Expose(keyFile(f).Text()))
	f.Add([]byte("haven-key-file/1\nid: \nkey: \ncheck: \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := seal.ParseKeyFile(secret.New(bytes.Clone(b)), rand.Reader)
		if err != nil {
			if err != seal.ErrKeyFile {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !bytes.Equal(secret.Expose(k.Text()), b) {
			t.Fatal("another text")
		}
	})
}
