package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

const envelopeKit = "testdata/envelope"

// envelopeCase is one file of the kit; testdata/envelope/README.md explains the fields.
type envelopeCase struct {
	Description string            `json:"description"`
	DataKey     string            `json:"data_key"`
	Context     map[string]string `json:"context"`
	Envelope    string            `json:"envelope"`
	Plaintext   *string           `json:"plaintext,omitempty"`
	Error       string            `json:"error,omitempty"`

	file string
}

// plainEnvelope is the envelope format written again, from docs/envelope.md and the standard
// library alone, with salt and nonces given: what the code is compared with.
type plainEnvelope struct {
	bits         byte
	encryptedKey []byte
	salt         []byte
	context      []byte // encoded
	nonces       [][]byte
}

func (e plainEnvelope) prefix() []byte {
	b := append([]byte("HVEN\x01\x01"), e.bits)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.encryptedKey)))
	return append(append(b, e.encryptedKey...), e.salt...)
}

func (e plainEnvelope) okm(t testing.TB, key []byte) []byte {
	t.Helper()
	header, context := sha256.Sum256(e.prefix()), sha256.Sum256(e.context)
	okm, err := hkdf.Expand(sha256.New, key, "haven/envelope/v1\x00"+string(header[:])+string(context[:]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return okm
}

func (e plainEnvelope) header(t testing.TB, key []byte) []byte {
	return append(e.prefix(), e.okm(t, key)[32:]...)
}

// chunk seals a chunk for a place.
func (e plainEnvelope) chunk(t testing.TB, key, plaintext []byte, number uint64, last byte) []byte {
	t.Helper()
	var out []byte
	// FIPS 140-3 mode refuses a nonce from outside, which is just what a known answer needs.
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(e.okm(t, key)[:32])
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		nonce := e.nonces[int(number)%len(e.nonces)]
		place := append(binary.BigEndian.AppendUint64(nil, number), last)
		out = aead.Seal(bytes.Clone(nonce), nonce, plaintext, place)
	})
	return out
}

func (e plainEnvelope) encrypt(t testing.TB, key, plaintext []byte) []byte {
	t.Helper()
	out := e.header(t, key)
	size := 1 << e.bits
	for number := uint64(0); ; number++ {
		if len(plaintext) <= size {
			return append(out, e.chunk(t, key, plaintext, number, 1)...)
		}
		out = append(out, e.chunk(t, key, plaintext[:size], number, 0)...)
		plaintext = plaintext[size:]
	}
}

// exampleEnvelope is what the kit is made of: fixed data key, salt and nonces.
func exampleEnvelope() plainEnvelope {
	e := plainEnvelope{bits: 10, encryptedKey: sequence(148, 0x10), salt: sequence(32, 0x80), context: example.Context}
	for i := range 4 {
		e.nonces = append(e.nonces, sequence(12, byte(0xc0+16*i)))
	}
	return e
}

func envelopeCaseOf(file, description string, b []byte) envelopeCase {
	return envelopeCase{
		Description: description, DataKey: hex.EncodeToString(exampleKey), Context: exampleContext,
		Envelope: hex.EncodeToString(b), file: file,
	}
}

func validEnvelopes(t *testing.T) (cases []envelopeCase) {
	add := func(file, description string, e plainEnvelope, n int, change func(*envelopeCase)) {
		plaintext := sequence(n, 1)
		c := envelopeCaseOf("valid/"+file+".json", description, e.encrypt(t, exampleKey, plaintext))
		p := hex.EncodeToString(plaintext)
		c.Plaintext = &p
		if change != nil {
			change(&c)
		}
		cases = append(cases, c)
	}
	add("example", "two full chunks and one of 52 bytes; the malformed ones are made of it", exampleEnvelope(), 2100, nil)
	add("empty", "no plaintext: one empty chunk", exampleEnvelope(), 0, nil)
	add("one-byte", "one byte", exampleEnvelope(), 1, nil)
	add("one-chunk", "exactly one chunk", exampleEnvelope(), 1024, nil)
	add("one-chunk-and-a-byte", "one chunk and a byte", exampleEnvelope(), 1025, nil)
	add("two-chunks", "exactly two chunks", exampleEnvelope(), 2048, nil)
	e := exampleEnvelope()
	e.bits = 16
	add("ordinary-chunks", "chunks of 64 KiB, as Haven makes them", e, 300, nil)
	e.bits = 22
	add("longest-chunks", "chunks of 4 MiB", e, 300, nil)
	e = exampleEnvelope()
	e.encryptedKey = []byte{0}
	add("shortest-key", "an encrypted data key of one byte", e, 300, nil)
	e = exampleEnvelope()
	e.context = []byte("haven/ec/v1\x00\x00")
	add("no-context", "no context", e, 300, func(c *envelopeCase) { c.Context = map[string]string{} })
	return cases
}

// envelopeFields are the parts of the example, by offset.
var envelopeFields = []struct {
	name    string
	at, end int
}{
	{"magic", 0, 4}, {"format", 4, 5}, {"suite", 5, 6}, {"chunk-length", 6, 7}, {"key-length", 7, 9},
	{"encrypted-key", 9, 157}, {"salt", 157, 189}, {"commitment", 189, 221},
	{"first-nonce", 221, 233}, {"first-ciphertext", 233, 1257}, {"first-tag", 1257, 1273},
	{"last-nonce", 2325, 2337}, {"last-ciphertext", 2337, 2389}, {"last-tag", 2389, 2405},
}

func malformedEnvelopes(t *testing.T) (cases []envelopeCase) {
	e := exampleEnvelope()
	plaintext := sequence(2100, 1)
	good := e.encrypt(t, exampleKey, plaintext)
	header, first, second, last := good[:221], good[221:1273], good[1273:2325], good[2325:]
	add := func(file, description string, change func(*envelopeCase), parts ...[]byte) {
		c := envelopeCaseOf("malformed/"+file+".json", description, bytes.Join(parts, nil))
		c.Error = "cannot be decrypted"
		if change != nil {
			change(&c)
		}
		cases = append(cases, c)
	}
	with := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for _, f := range envelopeFields {
		add(f.name+"-first-bit", "the first bit of the field is flipped", nil, with(f.at, good[f.at]^0x80))
		add(f.name+"-last-bit", "the last bit of the field is flipped", nil, with(f.end-1, good[f.end-1]^1))
		add(f.name+"-cut-before", "the envelope ends before the field", nil, good[:f.at])
		add(f.name+"-cut-inside", "the envelope ends one byte before the end of the field", nil, good[:f.end-1])
	}
	add("chunk-length-9", "chunks of 512 bytes, all else authentic", nil, func() []byte {
		short := e
		short.bits = 9
		return short.encrypt(t, exampleKey, plaintext)
	}())
	add("chunk-length-23", "chunks of 8 MiB, all else authentic", nil, func() []byte {
		long := e
		long.bits = 23
		return long.encrypt(t, exampleKey, plaintext)
	}())
	add("key-length-zero", "no encrypted data key, all else authentic", nil, func() []byte {
		none := e
		none.encryptedKey = nil
		return none.encrypt(t, exampleKey, plaintext)
	}())
	add("no-chunks", "the header alone", nil, header)
	add("last-chunk-missing", "the last chunk is missing", nil, header, first, second)
	add("first-chunk-missing", "the first chunk is missing", nil, header, second, last)
	add("middle-chunk-missing", "the second chunk of three is missing", nil, header, first, last)
	add("chunks-swapped", "the first two chunks are swapped", nil, header, second, first, last)
	add("chunk-twice", "the first chunk stands twice", nil, header, first, first, second, last)
	add("last-chunk-twice", "the last chunk stands twice", nil, good, last)
	add("trailing-byte", "one zero byte after the last chunk", nil, good, []byte{0})
	add("leading-byte", "one zero byte before the magic", nil, []byte{0}, good)
	add("twice", "the envelope twice", nil, good, good)
	add("text", "the envelope in hexadecimal", nil, []byte(hex.EncodeToString(good)))
	chunk := func(plaintext []byte, number uint64, last byte) []byte {
		return e.chunk(t, exampleKey, plaintext, number, last)
	}
	add("none-is-last", "all chunks are authentic, none is marked the last", nil, header, first, second, chunk(plaintext[2048:], 2, 0))
	add("last-too-early", "a chunk marked the last, authentic in its place, before another", nil,
		header, chunk(plaintext[:1024], 0, 1), second, last)
	add("empty-last-chunk", "an authentic empty last chunk after a full one", nil,
		header, first, second, chunk(nil, 2, 1))
	add("short-middle-chunk", "an authentic chunk that is too short and not the last", nil,
		header, first, chunk(plaintext[1024:1524], 1, 0), last)
	add("long-last-chunk", "an authentic last chunk that is longer than the chunk length", nil,
		header, chunk(plaintext[:1025], 0, 1))
	add("place-2", "the mark of the last chunk is 2 instead of 1", nil, header, first, second, chunk(plaintext[2048:], 2, 2))
	other := e
	other.salt = sequence(32, 0x90)
	add("chunk-of-another", "the second chunk is one of another envelope under the same data key", nil,
		header, first, other.chunk(t, exampleKey, plaintext[1024:2048], 1, 0), last)
	add("commitment-zero", "the commitment is zeros; all chunks are authentic", nil, e.prefix(), make([]byte, 32), good[221:])
	add("commitment-of-another-key", "the commitment is another key's; all chunks are authentic", nil,
		e.header(t, make([]byte, 32)), good[221:])
	add("wrong-key", "the data key is another one", func(c *envelopeCase) { c.DataKey = strings.Repeat("00", 32) }, good)
	for file, context := range map[string]map[string]string{
		"absent": {}, "value": {"patient": "p-2", "purpose": "care"}, "case": {"Patient": "p-1", "purpose": "care"},
		"more": {"patient": "p-1", "purpose": "care", "x": ""}, "less": {"patient": "p-1"},
	} {
		add("context-"+file, "the context is another one", func(c *envelopeCase) { c.Context = context }, good)
	}
	return cases
}

// TestEnvelopeKitIsCurrent compares every file of the kit with what is made here, from the
// reference implementation: the files are this format's known answers.
func TestEnvelopeKitIsCurrent(t *testing.T) {
	want := map[string]bool{}
	for _, c := range append(validEnvelopes(t), malformedEnvelopes(t)...) {
		b, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, '\n')
		path := filepath.Join(envelopeKit, c.file)
		if want[path] {
			t.Fatalf("%s is made twice", path)
		}
		want[path] = true
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s is not what is made now (-update): %v", path, err)
		}
	}
	for path := range envelopeCases(t, "*") {
		if !want[path] {
			t.Errorf("%s is made by nothing", path)
		}
	}
}

// envelopeCases reads the kit's files of a folder, by path.
func envelopeCases(t testing.TB, folder string) map[string]envelopeCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(envelopeKit, folder, "*.json"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files in %s: %v", len(files), folder, err)
	}
	out := map[string]envelopeCase{}
	for _, path := range files {
		var c envelopeCase
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[path] = c
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEnvelopeKit reads the kit as another implementation would, and seals its valid envelopes
// again with the salt and nonces they have.
func TestEnvelopeKit(t *testing.T) {
	for _, folder := range []string{"valid", "malformed"} {
		for path, c := range envelopeCases(t, folder) {
			context, err := blob.ContextOf(c.Context)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			var got []byte
			r := bytes.NewReader(unhex(t, c.Envelope))
			h, err := blob.ReadEnvelope(r)
			if err != nil {
				err = crypt.ErrDecrypt
			} else {
				sealed := unhex(t, c.Envelope)[len(unhex(t, c.Envelope))-r.Len():]
				got, err = crypt.OpenEnvelope(newSecret(unhex(t, c.DataKey)), context, h, sealed)
			}
			switch {
			case folder == "malformed" && (err != crypt.ErrDecrypt || got != nil):
				t.Errorf("%s: %v", path, err)
			case folder == "valid" && (err != nil || hex.EncodeToString(got) != *c.Plaintext):
				t.Errorf("%s: another plaintext, or %v", path, err)
			}
		}
	}
}

// TestSealIsTheReference seals again, by the reference, what was sealed: with its salt and nonces.
func TestSealIsTheReference(t *testing.T) {
	c := contextOf(t, "patient", "p-1")
	for _, n := range []int{0, 1, 1024, 3000} {
		plaintext := sequence(n, 3)
		got := sealEnvelope(t, envelopeHeader(), c, plaintext)
		h, err := blob.ReadEnvelope(bytes.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		e := plainEnvelope{bits: h.ChunkBits, encryptedKey: h.EncryptedKey, salt: h.Salt[:], context: c.Encoded()}
		for at := 73 + len(h.EncryptedKey); at < len(got); at += 1024 + sealedOverhead {
			e.nonces = append(e.nonces, got[at:at+12])
		}
		if want := e.encrypt(t, exampleKey, plaintext); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: not what the reference makes", n)
		}
	}
}
