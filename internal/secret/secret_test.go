package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/secret"
)

const canary = "canary-7f3a91"

// forms are the ways in which printed bytes could still be read.
func forms() []string {
	return []string{
		canary,
		fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary),
		fmt.Sprintf("%d", []byte(canary)), fmt.Sprintf("%#v", []byte(canary)), fmt.Sprintf("%08b", []byte(canary)),
		strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"), "Y2FuYXJ5",
	}
}

func mustNotShow(t *testing.T, where, out string) {
	t.Helper()
	for _, f := range forms() {
		if strings.Contains(out, f) {
			t.Errorf("%s shows the secret", where)
		}
	}
}

type holder struct {
	Exported   secret.Bytes
	unexported secret.Bytes
}

func TestEveryVerbIsRedacted(t *testing.T) {
	s := secret.New([]byte(canary))
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "b", "c", "o", "O", "U", "e", "g", "t", "z", " x", "#x", "20s"} {
		if got := fmt.Sprintf("%"+verb, s); got != secret.Redacted {
			t.Errorf("%%%s prints %q", verb, got)
		}
		if got := fmt.Sprintf("%"+verb, &s); got != secret.Redacted {
			t.Errorf("%%%s of a pointer prints %q", verb, got)
		}
		h := holder{s, s}
		for _, v := range []any{h, &h, []holder{h}, map[string]holder{"a": h}, []secret.Bytes{s}, []any{h}} {
			mustNotShow(t, fmt.Sprintf("%%%s of %T", verb, v), fmt.Sprintf("%"+verb, v))
		}
	}
	mustNotShow(t, "%p", fmt.Sprintf("%p %p %T", s, &s, s))
	if s.String() != secret.Redacted || s.GoString() != secret.Redacted {
		t.Error("String or GoString is not redacted")
	}
	mustNotShow(t, "an error", fmt.Errorf("key %v: %w", s, io.EOF).Error())
}

func TestEncodersSeeNothing(t *testing.T) {
	s := secret.New([]byte(canary))
	h := holder{s, s}
	j, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": h})
	if err != nil || !strings.Contains(string(j), `"a":"[redacted]"`) {
		t.Errorf("json: %s, %v", j, err)
	}
	mustNotShow(t, "json", string(j))
	x, err := xml.Marshal(h)
	if err != nil {
		t.Error(err)
	}
	mustNotShow(t, "xml", string(x))

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", "a", s, "b", h, slog.Group("g", "c", &s))
	}
	mustNotShow(t, "slog", log.String())
	if n := strings.Count(log.String(), secret.Redacted); n < 4 {
		t.Errorf("slog wrote %d redactions: %s", n, log.String())
	}

	if err := gob.NewEncoder(io.Discard).Encode(s); !errors.Is(err, secret.ErrEncoding) {
		t.Errorf("gob: %v", err)
	}
	for _, in := range []string{`"` + canary + `"`, `"YWJj"`} {
		var d secret.Bytes
		if err := json.Unmarshal([]byte(in), &d); !errors.Is(err, secret.ErrEncoding) {
			t.Errorf("json decoding: %v", err)
		}
	}
	var d secret.Bytes
	if err := json.Unmarshal([]byte(`{"hold":1}`), &d); err == nil {
		t.Error("an object decodes into a secret")
	}
	if err := d.UnmarshalBinary([]byte(canary)); !errors.Is(err, secret.ErrEncoding) {
		t.Errorf("UnmarshalBinary: %v", err)
	}
}

// TestReflectionFindsNothing walks everything that reflection can reach.
func TestReflectionFindsNothing(t *testing.T) {
	s := secret.New([]byte(canary))
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				t.Errorf("reflection reaches bytes of length %d", v.Len())
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			mustNotShow(t, "reflection", v.String())
		case reflect.Pointer, reflect.Interface:
			walk(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(&holder{s, s}))
	if reflect.TypeOf(s).Comparable() {
		t.Error("secrets can be compared with ==")
	}
}

func TestEqual(t *testing.T) {
	mk := func(s string) secret.Bytes { return secret.New([]byte(s)) }
	for _, c := range []struct {
		a, b secret.Bytes
		want bool
	}{
		{mk("abc"), mk("abc"), true}, {mk("abc"), mk("abd"), false}, {mk("abc"), mk("ab"), false},
		{mk(""), secret.Bytes{}, true}, {secret.Bytes{}, mk("a"), false},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("Equal of lengths %d and %d: %v", c.a.Len(), c.b.Len(), got)
		}
	}
}

func TestDestroyZeroesEveryCopyButNotClones(t *testing.T) {
	raw := append(make([]byte, 0, 40), canary...)
	tail := raw[:cap(raw)]
	tail[39] = 0x55 // beyond the length, within the buffer
	s := secret.New(raw)
	second, clone := s, s.Clone()
	s.Destroy()
	if !bytes.Equal(tail, make([]byte, 40)) {
		t.Error("the buffer is not zero")
	}
	if s.Len() != 0 || second.Len() != 0 || secret.Expose(second) != nil {
		t.Error("a copy still has content")
	}
	if string(secret.Expose(clone)) != canary {
		t.Error("the clone was destroyed too")
	}
	s.Destroy()
	secret.Bytes{}.Destroy()
	if (secret.Bytes{}).Len() != 0 || secret.Expose(secret.Bytes{}) != nil {
		t.Error("the zero value is not empty")
	}
}

func TestRead(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10} {
		s, err := secret.Read(strings.NewReader(strings.Repeat("a", n)), 10)
		if err != nil || string(secret.Expose(s)) != strings.Repeat("a", n) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if s, err := secret.Read(strings.NewReader(strings.Repeat("a", 11)), 10); !errors.Is(err, secret.ErrTooLong) || s.Len() != 0 {
		t.Errorf("11 bytes: %v", err)
	}
	// io.ErrUnexpectedEOF is how a body that was cut short ends: not an end to believe.
	for _, want := range []error{io.ErrClosedPipe, io.ErrUnexpectedEOF} {
		if _, err := secret.Read(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(want)), 10); !errors.Is(err, want) {
			t.Errorf("a failing reader: %v", err)
		}
	}
}

func TestRandom(t *testing.T) {
	s, err := secret.Random(strings.NewReader("0123456789"), 4)
	if err != nil || string(secret.Expose(s)) != "0123" {
		t.Errorf("%v", err)
	}
	if _, err := secret.Random(strings.NewReader("012"), 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short reader: %v", err)
	}
}
