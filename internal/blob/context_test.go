package blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/blob"
)

func contextOf(t testing.TB, m map[string]string) blob.Context {
	t.Helper()
	c, err := blob.ContextOf(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestContextEncoding pins the bytes, and with them the order: by bytes, not by alphabet.
func TestContextEncoding(t *testing.T) {
	for _, c := range []struct {
		in   map[string]string
		want string
	}{
		{nil, "haven/ec/v1\x00\x00"},
		{map[string]string{}, "haven/ec/v1\x00\x00"},
		{map[string]string{"": ""}, "haven/ec/v1\x00\x01\x00\x00\x00\x00"},
		{map[string]string{"patient": "p-1"}, "haven/ec/v1\x00\x01\x00\x07patient\x00\x03p-1"},
		{
			map[string]string{"b": "2", "a": "1", "B": "3", "ab": "4", "é": "5"},
			"haven/ec/v1\x00\x05\x00\x01B\x00\x013\x00\x01a\x00\x011\x00\x02ab\x00\x014\x00\x01b\x00\x012\x00\x02\xc3\xa9\x00\x015",
		},
	} {
		got := contextOf(t, c.in)
		if string(got.Encoded()) != c.want {
			t.Errorf("%q encodes as %q", c.in, got.Encoded())
		}
		if got.Len() != len(c.in) {
			t.Errorf("%q has %d pairs", c.in, got.Len())
		}
		if back := maps.Collect(got.All()); !maps.Equal(back, c.in) {
			t.Errorf("%q comes back as %q", c.in, back)
		}
		parsed, err := blob.ParseContext(got.Encoded())
		if err != nil || !bytes.Equal(parsed.Encoded(), got.Encoded()) {
			t.Errorf("%q parses as %q, %v", c.want, parsed.Encoded(), err)
		}
	}
	if string(blob.Context{}.Encoded()) != "haven/ec/v1\x00\x00" {
		t.Error("absent is not empty")
	}
}

// TestContextsAreTold asserts that contexts which look alike encode differently.
func TestContextsAreTold(t *testing.T) {
	seen := map[string]map[string]string{}
	for _, m := range []map[string]string{
		{}, {"": ""}, {"a": ""}, {"": "a"}, {"a": "b"}, {"ab": ""}, {"a": "b", "c": "d"}, {"a": "bc", "d": ""}, {"A": "b"},
		{"a": "b "}, {"Zo\u00eb": ""}, {"Zoe\u0308": ""}, {"a": "\x00\x01b"}, {"a\x00\x01b": ""},
	} {
		e := string(contextOf(t, m).Encoded())
		if other, ok := seen[e]; ok {
			t.Errorf("%q and %q encode alike", m, other)
		}
		seen[e] = m
	}
}

func TestContextLimits(t *testing.T) {
	full := map[string]string{"key": strings.Repeat("v", blob.MaxContext-3)}
	c := contextOf(t, full)
	if _, err := blob.ParseContext(c.Encoded()); err != nil {
		t.Error(err)
	}
	// The most pairs that fit: every key has a byte at least, but one.
	many := map[string]string{"": ""}
	for i := 0; len(many) <= blob.MaxContext/2; i++ {
		many[string([]byte{byte(i >> 8), byte(i)})] = ""
	}
	if c := contextOf(t, many); c.Len() != len(many) {
		t.Errorf("%d of %d pairs", c.Len(), len(many))
	}
	for name, m := range map[string]map[string]string{
		"a value": {"key": strings.Repeat("v", blob.MaxContext-2)},
		"a key":   {strings.Repeat("k", blob.MaxContext+1): ""},
		"u16":     {strings.Repeat("k", 1<<16): ""},
	} {
		if _, err := blob.ContextOf(m); !errors.Is(err, blob.ErrMalformed) {
			t.Errorf("%s too long: %v", name, err)
		}
	}
	if _, err := blob.NewContext([]blob.Pair{{"a", "1"}, {"b", "2"}, {"a", "1"}}); !errors.Is(err, blob.ErrMalformed) {
		t.Errorf("a key twice: %v", err)
	}
}

func TestAllStopsWhenAsked(t *testing.T) {
	n := 0
	for range contextOf(t, map[string]string{"a": "1", "b": "2"}).All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d pairs", n)
	}
}

func TestParseContextRefuses(t *testing.T) {
	const label = "haven/ec/v1"
	for _, s := range []string{
		"", "haven/ec/v", label, label + "\x00", "haven/ec/v2\x00\x00", label + "\x00\x00x",
		label + "\x00\x01", label + "\x00\x01\x00", label + "\x00\x01\x00\x01a", label + "\x00\x01\x00\x01a\x00",
		label + "\x00\x01\x00\x02a\x00\x00", label + "\x00\x01\x00\x01a\x00\x02b", label + "\xff\xff",
		label + "\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x00", // order
		label + "\x00\x02\x00\x01a\x00\x00\x00\x01a\x00\x00", // twice
		label + "\x00\x01\xff\xff" + strings.Repeat("k", 1<<16-1) + "\x00\x00",
		label + "\x00\x01\x20\x00" + strings.Repeat("k", 1<<13) + "\x00\x01v",
	} {
		if c, err := blob.ParseContext([]byte(s)); !errors.Is(err, blob.ErrMalformed) || c.Len() != 0 {
			t.Errorf("%.40q: %v", s, err)
		}
	}
}

// FuzzParseContext: what parses encodes to the same bytes, and so do its pairs in a map.
func FuzzParseContext(f *testing.F) {
	for _, m := range []map[string]string{{}, {"a": "1"}, {"a": "1", "b": "", "": "c"}} {
		f.Add(contextOf(f, m).Encoded())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := blob.ParseContext(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Encoded(), b) {
			t.Fatalf("%q encodes as %q", b, c.Encoded())
		}
		if again := contextOf(t, maps.Collect(c.All())); !bytes.Equal(again.Encoded(), b) {
			t.Fatalf("%q by way of a map is %q", b, again.Encoded())
		}
	})
}

// FuzzNewContext: any pairs come back as they are, in any order given, or are refused.
func FuzzNewContext(f *testing.F) {
	f.Add("a", "1", "b", "2")
	f.Add("a", "", "a", "")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		c, err := blob.NewContext([]blob.Pair{{k1, v1}, {k2, v2}})
		if refuse := k1 == k2 || len(k1+v1+k2+v2) > blob.MaxContext; refuse != (err != nil) {
			t.Fatalf("refused: %v", err)
		}
		if err != nil {
			return
		}
		other, err := blob.NewContext([]blob.Pair{{k2, v2}, {k1, v1}})
		if err != nil || !bytes.Equal(other.Encoded(), c.Encoded()) {
			t.Fatal("the order counts")
		}
		if got := maps.Collect(c.All()); !maps.Equal(got, map[string]string{k1: v1, k2: v2}) {
			t.Fatalf("%q", got)
		}
	})
}

func TestBindingsAreTold(t *testing.T) {
	seen := map[string]string{}
	for i, b := range []blob.Binding{
		{}, {Store: [16]byte{1}}, {Version: 1}, {Account: "a"}, {Purpose: "a"}, {ID: "a"}, {Spec: "a"}, {Usage: "a"},
		{Account: "ab"}, {Account: "a", Purpose: "b"}, {Spec: "ab"}, {Spec: "a", Usage: "b"}, {Account: "\x01a"},
		{ID: strings.Repeat("a", blob.MaxBindingField)},
	} {
		e, err := b.Append([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(e)]; ok {
			t.Errorf("%d encodes as %s", i, other)
		}
		seen[string(e)] = fmt.Sprint(i)
	}
	long := blob.Binding{Usage: strings.Repeat("a", blob.MaxBindingField+1)}
	if e, err := long.Append(nil); !errors.Is(err, blob.ErrMalformed) || e != nil {
		t.Errorf("a field too long: %v", err)
	}
}

func TestBindingEncoding(t *testing.T) {
	b := blob.Binding{Store: [16]byte{0xaa}, Account: "0", Purpose: "key", ID: "\x00\xff", Version: 258, Spec: "S", Usage: ""}
	got, err := b.Append(nil)
	if want := "\xaa" + strings.Repeat("\x00", 15) + "\x00\x00\x01\x02" + "\x010" + "\x03key" + "\x02\x00\xff" + "\x01S" + "\x00"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPairs: an encoded context is looked up in as it was made.
func TestPairs(t *testing.T) {
	m := map[string]string{"": "empty", "a": "", "patient": "17", "Patient": "18"}
	p := blob.Pairs(contextOf(t, m).Encoded())
	for i, name := range []string{"", "Patient", "a", "patient"} {
		if got, ok := p.Name(i); !ok || got != name {
			t.Errorf("name %d: %q %v", i, got, ok)
		}
		if got, ok := p.Get(name); !ok || got != m[name] {
			t.Errorf("%q: %q %v", name, got, ok)
		}
	}
	if _, ok := p.Name(4); ok {
		t.Error("a fifth name")
	}
	for _, none := range []blob.Pairs{p, nil, blob.Context{}.Encoded()} {
		if _, ok := none.Get("ward"); ok {
			t.Error("a name that is not there")
		}
	}
}
