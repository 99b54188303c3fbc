package native_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
)

// fair returns a body of each operation that decodes, for the key given. Some are refused later.
func fair(key string) map[string]string {
	one := `{"key":` + `"` + key + `"}`
	return map[string]string{
		"create-key": `{"purpose":"Lab results","type":"data"}`, "describe-key": one, "list-keys": `{"limit":3}`,
		"list-key-versions": one, "update-key": `{"key":"` + key + `","purpose":"Lab"}`, "rotate-key": one,
		"enable-key": one, "disable-key": one, "deprecate-version": one, "cancel-key-deletion": one,
		"mark-compromised": `{"key":"` + key + `@1","reason":"a test"}`, "schedule-key-deletion": `{"key":"` + key + `","days":7}`,
		"generate-random": `{"bytes":8}`, "encrypt": `{"key":"` + key + `","plaintext":"aGVsbG8="}`,
		"decrypt": `{"ciphertext":"aGVsbG8="}`, "generate-data-key": one, "accept-clock": `{}`,
		"sign": `{"key":"` + key + `","message":"aGVsbG8="}`, "verify": `{"key":"` + key + `","digest":"aGVsbG8=","signature":"aGVsbG8="}`,
		"generate-mac": `{"key":"` + key + `","message":"aGVsbG8="}`, "verify-mac": `{"key":"` + key + `","message":"aGVsbG8=","mac":"aGVsbG8="}`,
		"get-public-key": one, "encapsulate": one, "decapsulate": `{"key":"` + key + `","ciphertext":"aGVsbG8="}`,
		"derive-shared-secret": `{"key":"` + key + `","public_key":"aGVsbG8="}`,
		"hpke-seal":            `{"key":"` + key + `","plaintext":"aGVsbG8="}`, "hpke-open": `{"ciphertext":"aGVsbG8="}`,
		"re-encrypt":             `{"ciphertext":"aGVsbG8=","key":"` + key + `","source_context":{}}`,
		"generate-data-key-pair": `{"key":"` + key + `","key_pair_spec":"ECC_NIST_P256"}`,
		"batch":                  `{"items":[{"op":"encrypt","key":"` + key + `","plaintext":"aGVsbG8="}]}`,
	}
}

// first is the name of a body's first member, "" where it has none.
func first(body string) string { return between(body, `{"`) }

// TestMalformed sends every operation bodies that are wrong in one way each. All are refused as
// invalid_request, leave one record, and none is told back.
func TestMalformed(t *testing.T) {
	w := newWorld(t)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	ways := map[string]func(body string) string{
		"empty":             func(string) string { return "" },
		"space":             func(string) string { return " \n\t" },
		"null":              func(string) string { return "null" },
		"array":             func(b string) string { return "[" + b + "]" },
		"string":            func(string) string { return `"` + canary + `"` },
		"number":            func(string) string { return "17" },
		"cut off":           func(b string) string { return b[:len(b)-1] },
		"byte order mark":   func(b string) string { return "\ufeff" + b },
		"trailing object":   func(b string) string { return b + `{"` + canary + `":1}` },
		"trailing word":     func(b string) string { return b + canary },
		"trailing zero":     func(b string) string { return b + "\x00" },
		"trailing comma":    func(b string) string { return b[:len(b)-1] + ",}" },
		"comment":           func(b string) string { return "/* " + canary + " */" + b },
		"single quotes":     func(string) string { return `{'` + canary + `':1}` },
		"no quotes":         func(string) string { return `{` + canary + `:1}` },
		"unknown member":    with(`"` + canary + `":"` + canaryBase64 + `"`),
		"unknown null":      with(`"` + canary + `":null`),
		"unknown deep":      with(`"` + canary + `":` + deep(5000)),
		"unterminated deep": with(`"` + canary + `":` + strings.Repeat("[", 12000)),
		"deep objects":      with(`"` + canary + `":` + strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)),
		"empty name":        with(`"":"` + canary + `"`),
		"prototype":         with(`"__proto__":{"` + canary + `":1}`),
		"name twice":        with(`"` + canary + `":1,"` + canary + `":2`),
		"huge number":       with(`"` + canary + `":1` + strings.Repeat("0", 400)),
		"huge exponent":     with(`"` + canary + `":1e999999`),
		"NaN":               with(`"` + canary + `":NaN`),
		"invalid UTF-8":     with("\"" + canary + "\xff\":1"),
		"overlong UTF-8":    with("\"" + canary + "\xc0\xaf\":1"),
		"UTF-8 surrogate":   with("\"" + canary + "\xed\xa0\x80\":1"),
		"lone surrogate":    with(`"` + canary + `\ud800":1`),
		"swapped pair":      with(`"` + canary + `\udc00\ud800":1`),
		"control character": with("\"" + canary + "\x01\":1"),
		"bad escape":        with(`"` + canary + `\x41":1`),
	}
	for op, body := range fair(w.newKey()) {
		for way, spoil := range ways {
			w.malformed(op, way, spoil(body))
		}
		for way, bad := range spoiledMembers(body) {
			w.malformed(op, way, bad)
		}
	}
}

// TestMalformedTags: what is wrong within a map is as little told as what is wrong around it.
func TestMalformedTags(t *testing.T) {
	w := newWorld(t)
	for _, tags := range []string{
		`{"` + canary + `":"a","` + canary + `":"b"}`, `{"` + canary + `":1}`, `{"` + canary + `":null}`, `{"` + canary + `":["a"]}`, `["` + canary + `"]`,
		`{"` + canary + `":"\ud800"}`, "{\"" + canary + "\":\"\xff\"}", `{"` + canary + `":"a"`, `{"` + canary + `":"` + canary + `\u0000"}`, `{"aws:` + canary + `":"a"}`,
	} {
		w.malformed("create-key", tags, `{"purpose":"Lab results","type":"data","tags":`+tags+`}`)
	}
}

// with adds a member to a body.
func with(member string) func(string) string {
	return func(body string) string {
		if body == "{}" {
			return "{" + member + "}"
		}
		return body[:len(body)-1] + "," + member + "}"
	}
}

// spoiledMembers spoils the first member of a body.
func spoiledMembers(body string) map[string]string {
	name := first(body)
	if name == "" {
		return nil
	}
	out := map[string]string{
		"member twice":    with(`"` + name + `":"` + canary + `"`)(body),
		"other case":      strings.Replace(body, `"`+name+`"`, `"`+strings.ToUpper(name[:1])+name[1:]+`"`, 1),
		"capitals":        strings.Replace(body, `"`+name+`"`, `"`+strings.ToUpper(name)+`"`, 1),
		"same by escape":  with(fmt.Sprintf(`"\u%04x%s":"%s"`, name[0], name[1:], canary))(body),
		"a kelvin sign":   strings.Replace(body, `"`+name+`"`, `"`+strings.Replace(name, "k", "\u212a", 1)+`"`, 1),
		"name with space": strings.Replace(body, `"`+name+`"`, `"`+name+` "`, 1),
	}
	if out["a kelvin sign"] == body {
		delete(out, "a kelvin sign")
	}
	_, rest, _ := strings.Cut(body, `"`+name+`":`)
	for way, value := range map[string]string{
		"null member": "null", "object": `{"` + canary + `":1}`, "true": "true", "nested": `[["` + canary + `"]]`,
		"fraction": "1.5", "exponent": "1e3", "negative": "-1", "huge": strings.Repeat("9", 40), "leading zero": "07",
		"half a pair": `"` + canary + `\ud83d"`, "not UTF-8": "\"" + canary + "\xe9\"", "a string without end": `"` + canary,
		"a sentence": `"` + canary + ` with spaces"`,
	} {
		// Where the first value is an array, another array is no fault of its type.
		if end := valueEnd(rest); way != "nested" || rest[0] != '[' {
			out[way] = `{"` + name + `":` + value + rest[end:]
		}
	}
	delete(out, "a sentence") // a purpose may be one
	if name == "key" || name == "ciphertext" || name == "limit" || name == "bytes" || name == "items" {
		out["a sentence"] = `{"` + name + `":"` + canary + ` with spaces"` + rest[valueEnd(rest):]
	}
	return out
}

// valueEnd is where the JSON value that s begins with ends; strings here have no escapes.
func valueEnd(s string) int {
	switch s[0] {
	case '"':
		return strings.IndexByte(s[1:], '"') + 2
	case '[':
		return strings.LastIndexByte(s, ']') + 1
	}
	return strings.IndexAny(s, ",}")
}

// malformed sends a body and checks that it is refused and nothing of it told.
func (w *world) malformed(op, way, body string) {
	w.t.Helper()
	a := w.post(op, body)
	w.clean(op+": "+way, []byte(a.body))
	if p := a.problem(w.t); p.Code != gate.InvalidRequest.String() || a.status != http.StatusBadRequest {
		w.t.Errorf("%s: %s: %d %s", op, way, a.status, a.body)
	}
	if len(a.records) != 1 || a.records[0].Error != uint16(gate.InvalidRequest) || a.records[0].Operation != operation(op).Number ||
		a.records[0].Outcome != journal.Failed {
		w.t.Errorf("%s: %s: records %+v", op, way, a.records)
	}
}

// TestMissingKey: a request that names no key, or names it in no form of a reference, is
// malformed, in every operation that takes one.
func TestMissingKey(t *testing.T) {
	w := newWorld(t)
	for op, body := range fair("KEY") {
		if !strings.Contains(body, `"KEY`) || op == "batch" || op == "re-encrypt" { // whose ciphertext is refused first
			continue
		}
		for _, key := range []string{"", "@1", "@", "alias/", "nothing", "alias/a b", canary, strings.Repeat("k", 600)} {
			body := strings.NewReplacer("KEY@1", key, "KEY", key).Replace(body)
			w.post(op, body).refused(t, gate.InvalidRequest)
		}
	}
	for _, op := range []string{"describe-key", "rotate-key", "encrypt", "generate-data-key", "disable-key"} {
		w.post(op, `{}`).refused(t, gate.InvalidRequest)
	}
}

// TestBodyLimits: a body of exactly an operation's limit is read, one byte more is refused, with
// its length told or not.
func TestBodyLimits(t *testing.T) {
	w := newWorld(t)
	for op, body := range fair(w.newKey()) {
		limit := int(operation(op).BodyLimit)
		padded := body + strings.Repeat(" ", limit-len(body))
		for _, chunked := range []bool{false, true} {
			send := func(body string) *answer {
				r := w.ask(http.MethodPost, "/v1/"+op, strings.NewReader(body))
				if chunked {
					r.ContentLength = -1
				}
				return w.do(r)
			}
			if a := send(padded); a.status == http.StatusRequestEntityTooLarge || strings.Contains(a.body, "JSON") {
				t.Errorf("%s, chunked %v: %d bytes: %s", op, chunked, limit, a.body)
			}
			send(padded+" ").refused(t, gate.TooLarge)
		}
	}
}

// broken fails in the middle of a body.
type broken struct{ r io.Reader }

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("connection reset: " + canary)
	}
	return n, err
}

// TestBodyCutShort: a body that ends early or breaks is refused, whatever its beginning says.
func TestBodyCutShort(t *testing.T) {
	w := newWorld(t)
	body := `{"purpose":"Lab results","type":"data"}`
	short := w.ask(http.MethodPost, "/v1/create-key", strings.NewReader(body))
	short.ContentLength++
	w.do(short).refused(t, gate.InvalidRequest)
	for _, length := range []int64{int64(len(body)) + 1, -1} {
		r := w.ask(http.MethodPost, "/v1/create-key", &broken{strings.NewReader(body)})
		r.ContentLength = length
		a := w.do(r)
		a.refused(t, gate.InvalidRequest)
		w.clean("the answer", []byte(a.body))
	}
	huge := w.ask(http.MethodPost, "/v1/create-key", &broken{strings.NewReader("")})
	huge.ContentLength = 1 << 60
	w.do(huge).refused(t, gate.TooLarge)
}

// TestContentType: JSON or nothing said; anything else is refused, since a form that a browser
// sends across sites is not a request.
func TestContentType(t *testing.T) {
	w := newWorld(t)
	for _, good := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON", ""} {
		r := w.ask(http.MethodPost, "/v1/list-keys", strings.NewReader("{}"))
		if r.Header.Set("Content-Type", good); good == "" {
			r.Header.Del("Content-Type")
		}
		if a := w.do(r); a.status != http.StatusOK {
			t.Errorf("%q: %s", good, a.body)
		}
	}
	for _, bad := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json5", "application/problem+json", "json", "application/json, text/plain", " ", canary} {
		a := w.post("list-keys", "{}", "Content-Type", bad)
		a.refused(t, gate.InvalidRequest)
		w.clean("the answer", []byte(a.body))
	}
	twice := w.ask(http.MethodPost, "/v1/list-keys", strings.NewReader("{}"))
	twice.Header["Content-Type"] = []string{"application/json", "text/plain"}
	w.do(twice).refused(t, gate.InvalidRequest)
}

// TestQueries: a GET asks by its query alone and a POST by its body alone; what a query says is
// decoded as strictly as a body.
func TestQueries(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	for _, good := range []string{"?key=" + key, "?key=" + key + "%401", "?key=arn:aws:kms:us-east-1:000000000000:key/" + key, "?key=alias%2Fhaven-master", "?&key=" + key + "&"} {
		if a := w.get("describe-key", good); a.status != http.StatusOK || len(a.records) != 1 {
			t.Errorf("%s: %s", good, a.body)
		}
	}
	for _, bad := range []string{"", "?", "?key=", "?key=%ff", "?key=" + key + "&key=" + key, "?Key=" + key, "?key=" + key + "&" + canary + "=1",
		"?key=" + key + "&limit=1", "?key=" + key + ";x=1", "?key=%zz", "?" + canary, "?key=" + canary, "?key=" + strings.Repeat("k", 5000), "?=" + key,
		"?key=" + key + strings.Repeat("&", 5000)} {
		a := w.get("describe-key", bad)
		a.refused(t, gate.InvalidRequest)
		w.clean(bad, []byte(a.body))
	}
	for _, limit := range []string{"0", "1", "100"} {
		if a := w.get("list-keys", "?limit="+limit); a.status != http.StatusOK {
			t.Errorf("limit %s: %s", limit, a.body)
		}
	}
	for _, limit := range []string{"", "-1", "-0", "%2B1", "01", "1.0", "1e1", "101", "99999999999999999999", "0x1", "1_0", canary, "%D9%A1"} {
		a := w.get("list-keys", "?limit="+limit)
		a.refused(t, gate.InvalidRequest)
		w.clean(limit, []byte(a.body))
	}
	w.do(w.ask(http.MethodGet, "/v1/list-keys", strings.NewReader("{}"))).refused(t, gate.InvalidRequest)
	both := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/describe-key?key=alias/haven-master", strings.NewReader(`{"key":"`+key+`"}`))
	both.Header.Set("Authorization", "Bearer "+w.token)
	w.do(both).refused(t, gate.InvalidRequest)
}

// TestListsPage walks a list by its cursor, and refuses cursors that no list returned.
func TestListsPage(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		w.newKey()
	}
	seen, cursor := map[string]bool{}, ""
	for pages := 0; pages == 0 || cursor != ""; pages++ {
		p := must[client.KeyPage](t, w.get("list-keys", "?limit=2&cursor="+cursor))
		for _, k := range p.Keys {
			seen[k.KeyID] = true
		}
		if cursor = p.NextCursor; pages > 3 {
			t.Fatal("no end")
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d keys, want 4 and the master", len(seen))
	}
	for _, bad := range []string{canary, "====", "AA==", strings.Repeat("A", 100), "AB"} {
		a := w.post("list-keys", `{"cursor":"`+bad+`"}`)
		a.refused(t, gate.InvalidRequest)
		w.clean(bad, []byte(a.body))
	}
}
