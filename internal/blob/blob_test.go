package blob_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven/internal/blob"
)

func header() blob.Header {
	h := blob.Header{Version: 3}
	for i := range h.KeyID {
		h.KeyID[i] = byte(i)
	}
	for i := range h.Salt {
		h.Salt[i], h.Commitment[i] = byte(0x80+i), byte(0xa0+i)
	}
	return h
}

// complete appends nonce, ciphertext and tag of n bytes of plaintext.
func complete(h blob.Header, form blob.Form, n int) []byte {
	return append(h.Append(nil, form), bytes.Repeat([]byte{0xcc}, blob.NonceLen+n+blob.TagLen)...)
}

// TestLayout pins every byte of both forms.
func TestLayout(t *testing.T) {
	const rest = "0101" + "000102030405060708090a0b0c0d0e0f" + "00000003" +
		"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" +
		"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
	for form, magic := range map[blob.Form]string{blob.Message: "4843", blob.Wrapped: "4857"} {
		h := header()
		if got := hex.EncodeToString(h.Append(nil, form)); got != magic+rest {
			t.Errorf("%s", got)
		}
		if got := h.AppendPrefix([]byte("x"), form); len(got) != 1+blob.PrefixLen || !bytes.Equal(got[1:], h.Append(nil, form)[:blob.PrefixLen]) {
			t.Errorf("prefix %x", got)
		}
	}
	if blob.HeaderLen != 88 || blob.Overhead != 116 {
		t.Errorf("header of %d bytes, overhead of %d", blob.HeaderLen, blob.Overhead)
	}
}

func TestParse(t *testing.T) {
	for _, form := range []blob.Form{blob.Message, blob.Wrapped} {
		for _, n := range []int{0, 1, form.MaxContent()} {
			in := complete(header(), form, n)
			h, sealed, err := blob.Parse(form, in)
			if err != nil || h != header() || !bytes.Equal(sealed, in[blob.HeaderLen:]) {
				t.Errorf("%d bytes: %+v, %d, %v", n, h, len(sealed), err)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := complete(header(), blob.Message, 5)
	with := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "one byte less than empty": complete(header(), blob.Message, 0)[:blob.Overhead-1],
		"too long": complete(header(), blob.Message, blob.MaxMessage+1),
		"magic":    with(0, 'h'), "the other form": with(1, 'W'), "format 0": with(2, 0), "format 2": with(2, 2),
		"suite 0": with(3, 0), "suite 2": with(3, 2), "version 0": with(20, 0, 0, 0, 0),
	} {
		h, sealed, err := blob.Parse(blob.Message, b)
		if !errors.Is(err, blob.ErrMalformed) || h != (blob.Header{}) || sealed != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := blob.Parse(blob.Wrapped, complete(header(), blob.Wrapped, blob.MaxMaterial+1)); !errors.Is(err, blob.ErrMalformed) {
		t.Errorf("wrapped material too long: %v", err)
	}
}

// kitMessages returns the messages of the conformance kit.
func kitMessages(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no kit: %v", err)
	}
	var out [][]byte
	for _, f := range files {
		var c struct{ Message string }
		b, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		m, err := hex.DecodeString(c.Message)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, m)
	}
	return out
}

// FuzzParse: what parses encodes to the same bytes.
func FuzzParse(f *testing.F) {
	for _, m := range kitMessages(f) {
		f.Add(m)
	}
	f.Add(complete(header(), blob.Wrapped, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, form := range []blob.Form{blob.Message, blob.Wrapped} {
			h, sealed, err := blob.Parse(form, b)
			if err != nil {
				if !errors.Is(err, blob.ErrMalformed) {
					t.Fatalf("error %v", err)
				}
				continue
			}
			if again := append(h.Append(nil, form), sealed...); !bytes.Equal(again, b) {
				t.Fatalf("%x encodes as %x", b, again)
			}
			if h.Version == 0 || len(sealed) < blob.NonceLen+blob.TagLen {
				t.Fatalf("parsed what is not a blob: %x", b)
			}
		}
	})
}
