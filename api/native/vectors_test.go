package native_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// vectors returns a file or folder of the vectors made by others, "" where there are none; in CI
// they must be there.
func vectors(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("HAVEN_VECTORS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("HAVEN_CI") == "1" {
			t.Fatal(err)
		}
		return ""
	}
	return path
}

// jsonFiles returns the documents of JSONTestSuite, by name; none where there are no vectors.
func jsonFiles(t testing.TB) map[string]string {
	t.Helper()
	folder := vectors(t, filepath.Join("json-parsing", "test_parsing"))
	if folder == "" {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	files := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(b)
	}
	return files
}

// TestJSONTestSuite: what is no JSON is refused by every operation; what is JSON is read up to its
// meaning; and nothing breaks the server.
func TestJSONTestSuite(t *testing.T) {
	files := jsonFiles(t)
	if files == nil {
		t.Skip("no vectors")
	}
	w := newWorld(t)
	valid, invalid := 0, 0
	for name, text := range files {
		for op := range native.Requests() {
			w.document(op, name, text)
		}
		// As an item of a batch any value is read, and then is no item. Two are refused: a name
		// twice in one object.
		a := w.post("batch", `{"items":[`+text+`]}`)
		twice := strings.HasPrefix(name, "y_object_duplicated_key")
		switch {
		case name[0] == 'n' || twice:
			invalid++
			a.refused(t, gate.InvalidRequest)
		case name[0] == 'y':
			valid++
			answer := must[native.BatchAnswerBody](t, a)
			if len(answer.Items) != 1 || answer.Items[0].Error == nil {
				t.Errorf("%s: %s", name, a.body)
			}
		case a.status != http.StatusOK && a.status != http.StatusBadRequest:
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if valid < 90 || invalid < 185 {
		t.Errorf("%d valid and %d invalid documents", valid, invalid)
	}
}

// askNothing are the operations that need no member.
var askNothing = []string{"list-keys", "list-aliases", "list-records", "generate-random", "accept-clock",
	"list-principals", "list-groups", "list-credentials", "list-policies", "list-approvals", "get-caller-identity",
	"check-rotation", "list-stored-keys", "list-due", "describe-rotation-schedule"}

// document sends a document of the suite as a whole body.
func (w *world) document(op, name, text string) {
	w.t.Helper()
	a := w.post(op, text)
	object := name[0] == 'y' && strings.HasPrefix(strings.TrimSpace(text), "{") && !strings.HasPrefix(name, "y_object_duplicated_key")
	switch {
	case int64(len(text)) > operation(op).BodyLimit:
		a.refused(w.t, gate.TooLarge)
	case name == "y_object_empty.json" && slices.Contains(askNothing, op):
		if a.status != http.StatusOK {
			w.t.Errorf("%s of nothing: %s", op, a.body)
		}
	case a.status != http.StatusBadRequest || len(a.records) != 1:
		w.t.Errorf("%s to %s: %d %s", name, op, a.status, a.body)
	case object && name != "y_object_empty.json" && !strings.Contains(a.body, "a member that the operation does not know"):
		w.t.Errorf("%s to %s: refused before its members were read: %s", name, op, a.body)
	}
}

// naughty returns the strings of the Big List of Naughty Strings and some of our own; at least
// our own where there are no vectors.
func naughty(t testing.TB) []string {
	t.Helper()
	list := []string{
		"", " ", "\u00e9", "e\u0301", "\u0000", "a\u0000b", "\u007f", "\u0085", "\u200d", "\u202eabc", "\ufeff", "\ufffd", "\U0001f469\u200d\u2695\ufe0f",
		"\U0010ffff", "\uffff", "K", "\u212a", "\u017f", "\u0131", "I\u0307", "<script>", "alias/aws/x", "aws:tag", "a\r\nb: c", strings.Repeat("\u00e9", 128),
	}
	file := vectors(t, filepath.Join("strings", "blns.json"))
	if file == "" {
		return list
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var more []string
	if err := json.Unmarshal(b, &more); err != nil || len(more) < 500 {
		t.Fatalf("%d strings: %v", len(more), err)
	}
	return append(list, more...)
}

// TestNaughtyPurposesAndTags: a text is kept byte for byte, or refused and nothing was done.
func TestNaughtyPurposesAndTags(t *testing.T) {
	w := newWorld(t)
	taken, refused := 0, 0
	for _, s := range naughty(t) {
		for _, body := range []string{
			`{"type":"data","purpose":` + quoted(t, s) + `}`,
			`{"type":"data","purpose":"Lab","tags":{"text":` + quoted(t, s) + `}}`,
			`{"type":"data","purpose":"Lab","tags":{` + quoted(t, s) + `:"text"}}`,
		} {
			a := w.post("create-key", body)
			if a.status != http.StatusOK {
				a.refused(t, gate.InvalidRequest)
				refused++
				continue
			}
			taken++
			made := must[client.Key](t, a)
			k := must[client.Key](t, w.get("describe-key", "?key="+made.KeyID))
			if kept := k.Purpose == s || k.Tags["text"] == s || k.Tags[s] == "text"; !kept {
				t.Errorf("%q came back as %q, %q", s, k.Purpose, k.Tags)
			}
			if strings.ContainsFunc(k.Purpose, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("control characters in a purpose: %q", k.Purpose)
			}
		}
	}
	if taken == 0 || refused == 0 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}

// TestNaughtyAliases: an alias is AWS's alphabet and nothing that looks like it, in creation and
// in a reference.
func TestNaughtyAliases(t *testing.T) {
	w := newWorld(t)
	for _, s := range naughty(t) {
		a := w.post("create-key", `{"type":"data","purpose":"Lab","alias":`+quoted(t, "alias/"+s)+`}`)
		found := w.post("describe-key", `{"key":`+quoted(t, "alias/"+s)+`}`)
		if !keys.ValidAlias(s) {
			a.refused(t, gate.InvalidRequest)
			found.refused(t, gate.InvalidRequest)
			continue
		}
		if a.status != http.StatusOK { // the list has some twice
			a.refused(t, gate.AlreadyExists)
		}
		if k := must[client.Key](t, found); k.Alias != "alias/"+s {
			t.Errorf("%q came back as %q", s, k.Alias)
		}
	}
}

// TestNaughtyContexts: a context is exact bytes. What was encrypted for one is decrypted for that
// one alone, in the record too.
func TestNaughtyContexts(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	for _, s := range naughty(t) {
		for _, context := range []string{`{"text":` + quoted(t, s) + `}`, `{` + quoted(t, s) + `:"text"}`} {
			a := w.post("encrypt", `{"key":"`+key+`","plaintext":"aGVsbG8=","context":`+context+`}`)
			sealed := must[native.EncryptedBody](t, a)
			if len(a.records) != 1 || len(a.records[0].Context) == 0 {
				t.Fatalf("%s: records %+v", context, a.records)
			}
			body := func(context string) string {
				return `{"ciphertext":"` + base64.StdEncoding.EncodeToString(sealed.Ciphertext) + `","context":` + context + `}`
			}
			if opened := must[native.DecryptedBody](t, w.post("decrypt", body(context))); string(opened.Plaintext) != "hello" {
				t.Errorf("%s: %q", context, opened.Plaintext)
			}
			w.post("decrypt", body(`{"text":`+quoted(t, s+" ")+`}`)).refused(t, gate.InvalidCiphertext)
		}
	}
}

// TestContextsAreBytes: texts that look the same, or that normalisation, case folding or escaping
// makes the same, are different contexts; escapes of one text are the same.
func TestContextsAreBytes(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	alike := []string{"\u00e9", "e\u0301", "E\u0301", "\u00c9", "\uff45\u0301", "e\u0301\u200d", "\ufb01", "fi", "\u212b", "\u00c5", "A\u030a", "ss", "\u00df", "\u1e9e", "a\\u00e9"}
	for i, a := range alike {
		sealed := between(w.post("encrypt", `{"key":"`+key+`","plaintext":"aGVsbG8=","context":{"k":`+quoted(t, a)+`}}`).body, `"ciphertext":"`)
		for j, b := range alike {
			got := w.post("decrypt", `{"ciphertext":"`+sealed+`","context":{"k":`+quoted(t, b)+`}}`)
			if i == j && got.status != http.StatusOK || i != j && got.status != http.StatusBadRequest {
				t.Errorf("%q as %q: %d", a, b, got.status)
			}
		}
		escaped := ""
		for _, r := range a {
			escaped += fmt.Sprintf(`\u%04x`, r)
		}
		if got := w.post("decrypt", `{"context":{"\u006b":"`+escaped+`"},"ciphertext":"`+sealed+`"}`); got.status != http.StatusOK {
			t.Errorf("%q escaped: %s", a, got.body)
		}
	}
}

// TestContextLimit: 8,192 bytes of keys and values in all, however they are spread.
func TestContextLimit(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	for _, context := range []string{`"k":"` + strings.Repeat("v", 8191) + `"`, `"` + strings.Repeat("k", 8192) + `":""`} {
		ask := func(context string) *answer {
			return w.post("encrypt", `{"key":"`+key+`","plaintext":"aGVsbG8=","context":{`+context+`}}`)
		}
		if a := ask(context); a.status != http.StatusOK || len(a.records[0].Context) != 32 {
			t.Errorf("%d %s", a.status, a.body)
		}
		for _, over := range []string{context + `,"x":""`, strings.Replace(context, `"k`, `"kk`, 1)} {
			ask(over).refused(t, gate.InvalidRequest)
		}
	}
}

// TestNaughtyIdempotencyKeys: what a header may carry is taken as it is, or refused.
func TestNaughtyIdempotencyKeys(t *testing.T) {
	w := newWorld(t)
	made := map[string]string{}
	for _, s := range naughty(t) {
		a := w.post("create-key", `{"type":"data","purpose":"Lab"}`, idempotency, s)
		plain := s != "" && len(s) <= gate.MaxIdempotency && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
		if !plain {
			a.refused(t, gate.InvalidRequest)
			continue
		}
		k := must[client.Key](t, a)
		if before, again := made[s]; again && before != k.KeyID {
			t.Errorf("%q made two keys", s)
		}
		made[s] = k.KeyID
	}
	distinct := map[string]bool{}
	for _, id := range made {
		distinct[id] = true
	}
	if len(distinct) != len(made) || len(made) == 0 {
		t.Errorf("%d keys for %d idempotency keys", len(distinct), len(made))
	}
}
