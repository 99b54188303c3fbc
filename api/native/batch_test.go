package native_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
)

// item is one item of a batch and the answer it must get; Code "" is a success.
type item struct{ ask, code string }

// TestBatchMixed: good and bad items of every kind, in one batch; each gets its own answer in its
// own place, and its own record.
func TestBatchMixed(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	sealed := between(w.post("encrypt", `{"key":"`+key+`","plaintext":"aGVsbG8="}`).body, `"ciphertext":"`)
	items := []item{
		{`{"op":"encrypt","key":"` + key + `","plaintext":"aGVsbG8="}`, ""},
		{`{"op":"encrypt","key":"alias/nobody","plaintext":"aGVsbG8="}`, "not_found"},
		{`{"ciphertext":"` + sealed + `","op":"decrypt"}`, ""},
		{`{"op":"decrypt","ciphertext":"` + sealed + `","context":{"a":"b"}}`, "invalid_ciphertext"},
		{`{"op":"decrypt","ciphertext":"` + canaryBase64 + `"}`, "invalid_ciphertext"},
		{`{"op":"decrypt"}`, "invalid_ciphertext"},
		{`{"op":"generate-data-key","key":"` + key + `"}`, ""},
		{`{"op":"generate-data-key","key":"` + key + `","bytes":2000}`, "invalid_request"},
		{`{"op":"generate-data-key","key":"` + key + `","bytes":0}`, "invalid_request"},
		{`{"op":"encrypt"}`, "invalid_request"},
		{`{"op":"encrypt","key":"` + key + `"}`, "invalid_request"},
		{`{"op":"encrypt","key":"` + key + `","plaintext":"` + canary + `"}`, "invalid_request"},
		{`{"op":"encrypt","key":"` + key + `","plaintext":true}`, "invalid_request"},
		{`{"op":"encrypt","key":"` + key + `","plaintext":"aGVsbG8=","` + canary + `":1}`, "invalid_request"},
		{`{"op":"encrypt","key":"` + key + `","plaintext":"aGVsbG8=","context":null}`, "invalid_request"},
		{`{"op":"encrypt","key":"` + key + `","plaintext":"aGVsbG8=","bytes":32}`, "invalid_request"},
		{`{"op":"sign","key":"` + key + `"}`, "invalid_request"},
		{`{"op":"batch","items":[]}`, "invalid_request"},
		{`{"op":"create-key","purpose":"` + canary + `","type":"data"}`, "invalid_request"},
		{`{"op":null}`, "invalid_request"},
		{`{"op":["encrypt"]}`, "invalid_request"},
		{`{"Op":"encrypt","key":"` + key + `","plaintext":"aGVsbG8="}`, "invalid_request"},
		{`{}`, "invalid_request"}, {`null`, "invalid_request"}, {`[]`, "invalid_request"}, {`1`, "invalid_request"}, {`"` + canary + `"`, "invalid_request"},
		{`{"op":"generate-data-key","key":"` + key + `","plaintext":false,"context":{"a":"b"}}`, ""},
	}
	var asks []string
	for _, i := range items {
		asks = append(asks, i.ask)
	}
	a := w.post("batch", `{"items":[`+strings.Join(asks, ",")+`]}`)
	w.clean("the answer", []byte(a.body))
	readOpenAPI(t, w).answer(t, http.MethodPost, "batch", a)
	answers := must[native.BatchAnswerBody](t, a).Items
	if len(answers) != len(items) {
		t.Fatalf("%d answers to %d items", len(answers), len(items))
	}
	for i, got := range answers {
		switch {
		case items[i].code == "" && (got.Error != nil || got.KeyID != key || got.Version != 1):
			t.Errorf("item %d: %+v", i, got)
		case items[i].code != "" && (got.Error == nil || got.Error.Code != items[i].code || got.KeyID != "" || got.Ciphertext != nil):
			t.Errorf("item %d: %+v, want %s", i, got, items[i].code)
		}
	}
	if string(answers[2].Plaintext) != "hello" || len(answers[6].Plaintext) != 32 || answers[26].Plaintext != nil {
		t.Errorf("plaintexts: %+v %+v %+v", answers[2], answers[6], answers[26])
	}
	checkBatchRecords(t, a, items)
}

// checkBatchRecords: one record for each item, in its place and with its outcome, and one for the
// batch.
func checkBatchRecords(t *testing.T, a *answer, items []item) {
	t.Helper()
	if len(a.records) != len(items)+1 {
		t.Fatalf("%d records of a batch of %d", len(a.records), len(items))
	}
	whole, seen := 0, map[uint16]bool{}
	for _, r := range a.records {
		if r.Flags&journal.BatchItem == 0 {
			whole++
			if want := fmt.Sprintf("items=%d", len(items)); r.Operation != gate.Batch.Number || r.Parameters != want || r.Outcome != journal.Allowed {
				t.Errorf("the batch's record: %+v", r)
			}
			continue
		}
		if seen[r.Item] || int(r.Item) >= len(items) {
			t.Fatalf("item %d twice or beyond", r.Item)
		}
		seen[r.Item] = true
		code := ""
		if r.Error != 0 {
			code = gate.Code(r.Error).String()
		}
		if code != items[r.Item].code {
			t.Errorf("item %d: recorded as %q, want %q", r.Item, code, items[r.Item].code)
		}
	}
	if whole != 1 {
		t.Errorf("%d records of the batch itself", whole)
	}
}

// TestBatchSizes: 1 to 1,000 items; none, or one more, is refused as a whole and leaves one record.
func TestBatchSizes(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	build := func(n int) (string, []item) {
		var b strings.Builder
		items := make([]item, n)
		b.WriteString(`{"items":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"op":"encrypt","key":%q,"plaintext":%q}`, key, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "item %d", i)))
		}
		return b.String() + "]}", items
	}
	for _, n := range []int{0, keys.MaxBatch + 1, keys.MaxBatch + 2, 3 * keys.MaxBatch} {
		body, _ := build(n)
		w.post("batch", body).refused(t, gate.InvalidRequest)
	}
	if _, err := native.ReadBatch([]byte(`{"items":[` + strings.Repeat("{},", 2*keys.MaxBatch) + `{}]}`)); err == nil {
		t.Error("any number of items is read")
	}
	body, items := build(keys.MaxBatch)
	a := w.post("batch", body)
	checkBatchRecords(t, a, items)
	w.decryptAll(must[native.BatchAnswerBody](t, a).Items)
}

// decryptAll decrypts the answers of TestBatchSizes in one batch: each is its own item's.
func (w *world) decryptAll(answers []native.BatchAnswerItem) {
	w.t.Helper()
	type decrypt struct {
		Op         string `json:"op"`
		Ciphertext []byte `json:"ciphertext"`
	}
	var back []decrypt
	for _, a := range answers {
		back = append(back, decrypt{"decrypt", a.Ciphertext})
	}
	body, err := json.Marshal(map[string]any{"items": back})
	if err != nil {
		w.t.Fatal(err)
	}
	opened := must[native.BatchAnswerBody](w.t, w.post("batch", string(body))).Items
	if len(opened) != len(answers) || len(opened) == 0 {
		w.t.Fatalf("%d of %d", len(opened), len(answers))
	}
	for i, o := range opened {
		if string(o.Plaintext) != fmt.Sprintf("item %d", i) {
			w.t.Errorf("item %d decrypts to %q: %+v", i, o.Plaintext, o.Error)
		}
	}
}

// TestBatchMalformed: what is no batch is refused as a whole, whatever its items are.
func TestBatchMalformed(t *testing.T) {
	w := newWorld(t)
	good := `{"op":"encrypt","key":"` + w.newKey() + `","plaintext":"aGVsbG8="}`
	nested := func(n int) string {
		return `{"op":"encrypt","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for _, body := range []string{
		`{}`, `{"items":null}`, `{"items":{}}`, `{"items":"` + canary + `"}`, `{"items":[]}`, `{"items":[` + good + `]`, `{"items":[` + good + `,]}`,
		`{"items":[` + good + `],"items":[` + good + `]}`, `{"items":[` + good + `],"` + canary + `":1}`, `{"Items":[` + good + `]}`,
		`{"items":[` + good + ` ` + good + `]}`, `{"items":[{"op":"encrypt","op":"encrypt"}]}`, `{"items":[{"a":{"b":1,"b":2}}]}`,
		`{"items":[{"op":"` + "\xff" + `"}]}`, `{"items":[{"op":"\ud800"}]}`, `{"items":[{"op":nul}]}`, `{"items":[01]}`, `{"items":[-]}`, `{"items":[1.]}`,
		`{"items":[` + nested(native.MaxDepth) + `]}`, `{"items":[` + nested(100_000) + `]}`, `{"items":[` + strings.Repeat("[", 1<<20) + `]}`,
		`{"items":[` + strings.Repeat(`{"a":`, 1<<20) + `]}`, `{"items":[` + manyMembers(native.MaxMembers+1) + `]}`,
	} {
		a := w.post("batch", body)
		a.refused(t, gate.InvalidRequest)
		w.clean("the answer", []byte(a.body))
	}
	for _, passable := range []string{nested(native.MaxDepth - 1), manyMembers(native.MaxMembers)} {
		a := w.post("batch", `{"items":[`+passable+`]}`)
		if items := must[native.BatchAnswerBody](t, a).Items; len(items) != 1 || items[0].Error == nil {
			t.Errorf("%s", a.body)
		}
	}
}

// manyMembers is an item with n members of different names.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}
