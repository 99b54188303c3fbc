package crypt_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

var update = flag.Bool("update", false, "write the files of the kit anew")

const kit = "../blob/testdata"

// kitCase is one file of the kit; testdata/README.md explains the fields.
type kitCase struct {
	Description string            `json:"description"`
	Key         string            `json:"key"`
	KeyID       string            `json:"key_id"`
	Version     uint32            `json:"version"`
	Context     map[string]string `json:"context"`
	Message     string            `json:"message"`
	Plaintext   *string           `json:"plaintext,omitempty"`
	Error       string            `json:"error,omitempty"`

	file string
}

// example is the message that the kit is made of: fixed key, salt and nonce.
var (
	exampleKey       = sequence(32, 0x40)
	exampleContext   = map[string]string{"patient": "p-1", "purpose": "care"}
	examplePlaintext = []byte("Haven keeps the record.")
	example          = message{
		ID: [16]byte(sequence(16, 0x00)), Version: 3,
		Context: []byte("haven/ec/v1\x00\x02\x00\x07patient\x00\x03p-1\x00\x07purpose\x00\x04care"),
		Salt:    [32]byte(sequence(32, 0x80)), Nonce: [12]byte(sequence(12, 0xc0)),
	}
)

func sequence(n int, from byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func kitOf(file, description string, b []byte) kitCase {
	return kitCase{
		Description: description, Key: hex.EncodeToString(exampleKey), KeyID: hex.EncodeToString(example.ID[:]),
		Version: example.Version, Context: exampleContext, Message: hex.EncodeToString(b), file: file,
	}
}

func validCases(t *testing.T) []kitCase {
	empty, long := example, example
	empty.Context = []byte("haven/ec/v1\x00\x00")
	long.Version = 1<<32 - 1
	add := func(c kitCase, plaintext []byte) kitCase {
		p := hex.EncodeToString(plaintext)
		c.Plaintext, c.file = &p, "valid/"+c.file
		return c
	}
	absent := kitOf("empty-context.json", "no context", empty.encrypt(t, exampleKey, examplePlaintext))
	absent.Context = map[string]string{}
	last := kitOf("last-version.json", "the greatest version and 4,096 bytes", long.encrypt(t, exampleKey, bytes.Repeat([]byte{1}, 4096)))
	last.Version = long.Version
	return []kitCase{
		add(kitOf("example.json", "the message that the malformed ones are made of", example.encrypt(t, exampleKey, examplePlaintext)), examplePlaintext),
		add(kitOf("empty-plaintext.json", "no plaintext", example.encrypt(t, exampleKey, nil)), nil),
		add(absent, examplePlaintext),
		add(last, bytes.Repeat([]byte{1}, 4096)),
	}
}

// fields are the parts of the format, by offset; the last two count from the end.
var fields = []struct {
	name    string
	at, end int
}{
	{"magic", 0, 2}, {"format", 2, 3}, {"suite", 3, 4}, {"key-id", 4, 20}, {"version", 20, 24}, {"salt", 24, 56},
	{"commitment", 56, 88}, {"nonce", 88, 100}, {"ciphertext", 100, 123}, {"tag", 123, 139},
}

func malformedCases(t *testing.T) []kitCase {
	good := example.encrypt(t, exampleKey, examplePlaintext)
	var cases []kitCase
	add := func(file, description string, b []byte, change func(*kitCase)) {
		c := kitOf("malformed/"+file+".json", description, b)
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
	for _, f := range fields {
		add(f.name+"-first-bit", "the first bit of the field is flipped", with(f.at, good[f.at]^0x80), nil)
		add(f.name+"-last-bit", "the last bit of the field is flipped", with(f.end-1, good[f.end-1]^1), nil)
		add(f.name+"-cut-before", "the message ends before the field", good[:f.at], nil)
		add(f.name+"-cut-inside", "the message ends one byte before the end of the field", good[:f.end-1], nil)
	}
	add("format-next", "a format that is not known", with(2, 2), nil)
	add("format-zero", "format 0", with(2, 0), nil)
	add("suite-next", "a suite that is not known", with(3, 2), nil)
	add("suite-zero", "suite 0", with(3, 0), nil)
	add("magic-wrapped", "the magic of wrapped key material", with(0, 'H', 'W'), nil)
	add("version-zero", "version 0", with(20, 0, 0, 0, 0), func(c *kitCase) { c.Version = 0 })
	add("trailing-byte", "one zero byte after the tag", append(bytes.Clone(good), 0), nil)
	add("leading-byte", "one zero byte before the magic", append([]byte{0}, good...), nil)
	add("twice", "the message twice", append(bytes.Clone(good), good...), nil)
	add("text", "the message in hexadecimal", []byte(hex.EncodeToString(good)), nil)
	add("version-swapped", "another version in the header, and that version has the same key bytes",
		with(20, 0, 0, 0, 4), func(c *kitCase) { c.Version = 4 })
	add("version-of-another-key", "the message is intact; the key at hand is version 4 with the same bytes", good,
		func(c *kitCase) { c.Version = 4 })
	otherID := sequence(16, 0x10)
	add("key-id-swapped", "another key id in the header, and that key has the same bytes",
		with(4, otherID...), func(c *kitCase) { c.KeyID = hex.EncodeToString(otherID) })
	add("key-id-of-another-key", "the message is intact; the key at hand has another id and the same bytes", good,
		func(c *kitCase) { c.KeyID = hex.EncodeToString(otherID) })
	add("wrong-key", "the key has other bytes", good, func(c *kitCase) { c.Key = strings.Repeat("00", 32) })
	for file, context := range map[string]map[string]string{
		"absent": {}, "value": {"patient": "p-2", "purpose": "care"}, "case": {"Patient": "p-1", "purpose": "care"},
		"more": {"patient": "p-1", "purpose": "care", "x": ""}, "less": {"patient": "p-1"},
		"swapped":  {"patient": "care", "purpose": "p-1"},
		"boundary": {"patientp": "-1", "purpose": "care"},
	} {
		add("context-"+file, "the context is another one", good, func(c *kitCase) { c.Context = context })
	}
	okm := example.okm(t, exampleKey)
	add("commitment-zero", "all is authentic under the message key but the commitment, which is zeros",
		example.seal(t, okm[:32], example.header(make([]byte, 32)), examplePlaintext), nil)
	otherKey := example.okm(t, make([]byte, 32))
	add("commitment-of-another-key", "all is authentic under the message key; the commitment is another key's",
		example.seal(t, okm[:32], example.header(otherKey[32:]), examplePlaintext), nil)
	add("header-not-authenticated", "ciphertext and tag were made without the header as additional data",
		append(example.header(okm[32:]), example.seal(t, okm[:32], nil, examplePlaintext)...), nil)
	return cases
}

// TestKitIsCurrent compares every file of the kit with what is made here, from the reference
// implementation: the files are this format's known answers.
func TestKitIsCurrent(t *testing.T) {
	want := map[string]bool{}
	for _, c := range append(validCases(t), malformedCases(t)...) {
		b, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, '\n')
		path := filepath.Join(kit, c.file)
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
	for _, path := range kitFiles(t, "*") {
		if !want[path] {
			t.Errorf("%s is made by nothing", path)
		}
	}
}

func kitFiles(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(kit, folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	return files
}

// TestKit reads the kit as another implementation would.
func TestKit(t *testing.T) {
	for _, folder := range []string{"valid", "malformed"} {
		for _, path := range kitFiles(t, folder) {
			var c kitCase
			b, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(b, &c)
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			checkKitCase(t, path, folder == "valid", c)
		}
	}
}

func checkKitCase(t *testing.T, path string, valid bool, c kitCase) {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return b
	}
	context, err := blob.ContextOf(c.Context)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	m := unhex(c.Message)
	if c.Version == 0 { // no key has version 0, so the format has to refuse it
		if _, _, err := crypt.KeyOf(m); err != crypt.ErrDecrypt {
			t.Errorf("%s: %v", path, err)
		}
		return
	}
	k := keyOver(t, [16]byte(unhex(c.KeyID)), c.Version, newSecret(unhex(c.Key)))
	got, err := k.Decrypt(context, m)
	switch {
	case valid && (c.Plaintext == nil || c.Error != ""), !valid && (c.Plaintext != nil || c.Error == ""):
		t.Errorf("%s stands in the wrong folder", path)
	case valid && (err != nil || !bytes.Equal(got, unhex(*c.Plaintext))):
		t.Errorf("%s: %x, %v", path, got, err)
	case !valid && (err != crypt.ErrDecrypt || got != nil):
		t.Errorf("%s: %x, %v", path, got, err)
	}
}
