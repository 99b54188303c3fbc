package native_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
)

const idempotency = "Idempotency-Key"

// TestIdempotent: the same key and body give the same answer and one effect, for a day; each call
// has a record and a request id of its own.
func TestIdempotent(t *testing.T) {
	w := newWorld(t)
	body := `{"purpose":"Lab results","type":"data","alias":"alias/lab","tags":{"a":"b"}}`
	first := w.post("create-key", body, idempotency, "one")
	made := must[client.Key](t, first)
	w.clock.Advance(23 * time.Hour)
	again := w.post("create-key", body, idempotency, "one")
	if again.status != http.StatusOK || again.body != first.body || again.id == first.id {
		t.Errorf("%d %s\nfirst %s", again.status, again.body, first.body)
	}
	if len(again.records) != 1 || again.records[0].Flags&journal.Replay == 0 || len(again.records[0].Changes) > 0 {
		t.Errorf("a replay's records: %+v", again.records)
	}
	if len(first.records) != 1 || first.records[0].Flags&journal.Replay != 0 {
		t.Errorf("the first one's records: %+v", first.records)
	}

	rotated := w.post("rotate-key", `{"key":"alias/lab"}`, idempotency, "one") // another operation: another scope
	if k := must[client.Key](t, rotated); k.Version != 2 {
		t.Errorf("version %d", k.Version)
	}
	if again := w.post("rotate-key", `{"key":"alias/lab"}`, idempotency, "one"); again.body != rotated.body {
		t.Errorf("%s\nfirst %s", again.body, rotated.body)
	}
	if now := must[client.Key](t, w.get("describe-key", "?key="+made.KeyID)); now.Versions != 2 {
		t.Errorf("%d versions after one rotation and its repetition", now.Versions)
	}

	w.clock.Advance(time.Hour)
	w.post("create-key", body, idempotency, "one").refused(t, gate.AlreadyExists) // forgotten: the alias is taken
	late := must[client.Key](t, w.post("create-key", `{"purpose":"Lab results","type":"data"}`, idempotency, "one"))
	if late.KeyID == made.KeyID {
		t.Error("a key remembered for over a day")
	}
}

// TestIdempotencyMismatch: a key that was used for another body is refused, and does nothing.
func TestIdempotencyMismatch(t *testing.T) {
	w := newWorld(t)
	first := w.post("create-key", `{"purpose":"Lab results","type":"data"}`, idempotency, "one")
	must[client.Key](t, first)
	for _, body := range []string{
		`{"purpose":"Lab results","type":"data" }`, `{"type":"data","purpose":"Lab results"}`,
		`{"purpose":"Lab results","type":"master"}`, `{"purpose":"` + canary + `","type":"data"}`,
	} {
		a := w.post("create-key", body, idempotency, "one")
		a.refused(t, gate.IdempotencyMismatch)
		w.clean("the answer", []byte(a.body))
	}
	if page := must[client.KeyPage](t, w.post("list-keys", `{}`)); len(page.Keys) != 2 {
		t.Errorf("%d keys, want one and the master", len(page.Keys))
	}
}

// TestIdempotencyAfterRefusal: a call that was refused did nothing, and its key is free.
func TestIdempotencyAfterRefusal(t *testing.T) {
	w := newWorld(t)
	must[client.Key](t, w.post("create-key", `{"purpose":"Allergies","type":"data","alias":"alias/lab"}`))
	w.post("create-key", `{"purpose":"Lab results","type":"data","alias":"alias/lab"}`, idempotency, "one").refused(t, gate.AlreadyExists)
	must[client.Key](t, w.post("create-key", `{"purpose":"Lab results","type":"data"}`, idempotency, "one"))
}

// TestIdempotencyKeys: 1 to 128 printable characters without spaces, sent once, and looked at by
// mutating operations alone.
func TestIdempotencyKeys(t *testing.T) {
	w := newWorld(t)
	good := []string{"a", strings.Repeat("k", gate.MaxIdempotency), "!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~", "0190a5d0-ac96-774b-bcce-b302099a8057"}
	bad := []string{"", strings.Repeat("k", gate.MaxIdempotency+1), strings.Repeat("k", 60_000), "a b", "a\tb", "caf\u00e9", "\x7f", "a\x00b", "\xff", "\u202e" + canary}
	for _, key := range good {
		if a := w.post("create-key", `{"purpose":"Lab results","type":"data"}`, idempotency, key); a.status != http.StatusOK {
			t.Errorf("%q: %s", key, a.body)
		}
	}
	before := must[client.KeyPage](t, w.post("list-keys", `{}`))
	for _, key := range bad {
		a := w.post("create-key", `{"purpose":"Lab results","type":"data"}`, idempotency, key)
		a.refused(t, gate.InvalidRequest)
		w.clean("the answer", []byte(a.body))
		for op, body := range fair("alias/haven-master") { // ignored where nothing changes
			if operation(op).Mutates {
				continue
			}
			if a := w.post(op, body, idempotency, key); a.status != http.StatusOK && a.problem(t).Code == gate.InvalidRequest.String() {
				t.Errorf("%s, %q: %s", op, key, a.body)
			}
		}
	}
	two := w.ask(http.MethodPost, "/v1/create-key", strings.NewReader(`{"purpose":"Lab results","type":"data"}`))
	two.Header[idempotency] = []string{"a", "a"}
	w.do(two).refused(t, gate.InvalidRequest)
	if after := must[client.KeyPage](t, w.post("list-keys", `{}`)); len(after.Keys) != len(before.Keys) {
		t.Errorf("%d keys made by refused calls", len(after.Keys)-len(before.Keys))
	}
}

// TestIdempotencyIsNotShared: what does not change anything is done each time.
func TestIdempotencyIsNotShared(t *testing.T) {
	w := newWorld(t)
	a, b := w.post("generate-random", `{}`, idempotency, "one"), w.post("generate-random", `{}`, idempotency, "one")
	if a.status != http.StatusOK || a.body == b.body {
		t.Errorf("%s %s", a.body, b.body)
	}
}

// TestIdempotentConcurrently: of calls at the same time one has the effect, and all get its
// answer. Each leaves one record.
func TestIdempotentConcurrently(t *testing.T) {
	w := newWorld(t)
	for _, ask := range []struct{ op, body string }{
		{"create-key", `{"purpose":"Lab results","type":"data","alias":"alias/lab"}`},
		{"rotate-key", `{"key":"alias/lab"}`},
		{"mark-compromised", `{"key":"alias/lab@1","reason":"a test"}`},
	} {
		answers := make([]*answer, 24)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() { answers[i] = w.post(ask.op, ask.body, idempotency, "one") })
		}
		group.Wait()
		effects := 0
		for _, a := range answers {
			if a.status != http.StatusOK || a.body != answers[0].body {
				t.Errorf("%s: %d %s", ask.op, a.status, a.body)
			}
			if len(a.records) != 1 {
				t.Errorf("%s: %d records", ask.op, len(a.records))
			} else if a.records[0].Flags&journal.Replay == 0 {
				effects++
			}
		}
		if effects != 1 {
			t.Errorf("%s: done %d times", ask.op, effects)
		}
	}
	if k := must[client.Key](t, w.get("describe-key", "?key=alias/lab")); k.Versions != 2 {
		t.Errorf("%d versions", k.Versions)
	}
}
