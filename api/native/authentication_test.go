package native_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
)

// unread fails the test when somebody reads it.
type unread struct{ t testing.TB }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("a body was read before its sender was known")
	return 0, io.EOF
}

// TestUnauthenticated: whatever is wrong with a proof, the answer is the same, the body is not
// read, and nothing is told of the operation.
func TestUnauthenticated(t *testing.T) {
	w := newWorld(t)
	other := strings.ToUpper(w.token)
	headers := map[string][]string{
		"none": nil, "empty": {""}, "scheme alone": {"Bearer"}, "scheme and space": {"Bearer "}, "two spaces": {"Bearer  " + w.token},
		"no scheme": {w.token}, "basic": {"Basic " + w.token}, "digest": {"Digest " + w.token}, "negotiate": {"Negotiate " + w.token},
		"SigV4": {"AWS4-HMAC-SHA256 Credential=a/b, Signature=c"}, "a scheme like it": {"Bearer2 " + w.token}, "glued": {"Bearer" + w.token},
		"twice": {"Bearer " + w.token, "Bearer " + w.token}, "twice, first wrong": {"Bearer x", "Bearer " + w.token},
		"twice, empty": {"", "Bearer " + w.token}, "list": {"Bearer " + w.token + ", Bearer " + w.token},
		"other case": {"Bearer " + other}, "lower case": {"Bearer " + strings.ToLower(w.token)}, "cut": {"Bearer " + w.token[:len(w.token)-1]},
		"longer": {"Bearer " + w.token + "A"}, "trailing space": {"Bearer " + w.token + " "}, "tab": {"Bearer\t" + w.token},
		"quoted": {`Bearer "` + w.token + `"`}, "canary": {"Bearer " + canary}, "zero byte": {"Bearer " + w.token + "\x00"},
		"not UTF-8": {"Bearer \xff\xfe"}, "255 bytes": {"Bearer " + strings.Repeat("t", 255)}, "257 bytes": {"Bearer " + strings.Repeat("t", 257)},
		"a megabyte": {"Bearer " + strings.Repeat("t", 1<<20)}, "undefined": {"Bearer undefined"},
	}
	before, counted := w.position(), w.system.Gate().Counters().Unauthenticated
	same := ""
	for way, values := range headers {
		r := w.ask(http.MethodPost, "/v1/create-key", unread{t})
		r.ContentLength = 1 << 40
		delete(r.Header, "Authorization")
		if values != nil {
			r.Header["Authorization"] = values
		}
		a := w.do(r)
		p := a.problem(t)
		p.RequestID = ""
		if text := fmt.Sprint(p); same == "" {
			same = text
		} else if text != same {
			t.Errorf("%s: another answer: %s", way, a.body)
		}
		if a.status != http.StatusUnauthorized || p.Code != "unauthenticated" || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d %v %s", way, a.status, a.header, a.body)
		}
		w.clean(way, []byte(a.body))
	}
	if n := w.system.Gate().Counters().Unauthenticated - counted; n != uint64(len(headers)) {
		t.Errorf("%d counted of %d", n, len(headers))
	}
	w.sampled(before, gate.Unauthenticated, 1, len(headers)-1)
}

// sampled checks that calls to create-key left one record at once, for the first of them, and that
// one more tells of the others.
func (w *world) sampled(before uint64, refusal gate.Code, counts ...int) {
	w.t.Helper()
	w.system.Gate().RecordStrangers()
	w.post("list-keys", `{}`) // stands behind the samples in the journal
	var samples, want []string
	for _, r := range w.records(before) {
		if r.Operation == gate.Unrecognized.Number && r.Error == uint16(refusal) && r.Outcome == journal.Denied {
			samples = append(samples, r.Parameters)
		}
	}
	for _, n := range counts {
		want = append(want, fmt.Sprintf("operation=create-key;count=%d", n))
	}
	if fmt.Sprint(samples) != fmt.Sprint(want) {
		w.t.Errorf("samples %q, want %q", samples, want)
	}
}

// bad is a call that proves nobody.
func (w *world) bad() *http.Request {
	r := w.ask(http.MethodPost, "/v1/encrypt", unread{w.t})
	r.Header.Set("Authorization", "Bearer nobody")
	return r
}

// TestAuthenticated: the scheme's case does not matter (RFC 9110), the token's does.
func TestAuthenticated(t *testing.T) {
	w := newWorld(t)
	for _, scheme := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} {
		if a := w.post("list-keys", `{}`, "Authorization", scheme+" "+w.token); a.status != http.StatusOK || len(a.records) != 1 {
			t.Errorf("%s: %s", scheme, a.body)
		}
	}
}

// TestRateLimited: a call over its principal's rate is answered 429 before its body is read, and
// counted, not recorded one by one.
func TestRateLimited(t *testing.T) {
	var asked []string
	allowed, after := true, 1200*time.Millisecond
	w := newWorld(t, func(c *native.Config) {
		c.Allow = func(principal string) (time.Duration, bool) {
			asked = append(asked, principal)
			return after, allowed
		}
	})
	if a := w.post("list-keys", `{}`); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	allowed = false
	before := w.position()
	for range 5 {
		a := w.do(w.ask(http.MethodPost, "/v1/create-key", unread{t}))
		p := a.problem(t)
		if a.status != http.StatusTooManyRequests || p.Code != "rate_limited" || a.header.Get("Retry-After") != "2" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	after = time.Millisecond
	if a := w.post("create-key", `{}`); a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if a := w.do(w.bad()); a.status != http.StatusUnauthorized { // nobody has no rate of their own
		t.Errorf("%d", a.status)
	}
	if len(asked) != 7 || asked[0] == "" {
		t.Errorf("asked for %q", asked)
	}
	for _, id := range asked {
		if id != asked[0] {
			t.Errorf("asked for %q", asked)
		}
	}
	allowed = true
	w.sampled(before, gate.RateLimited, 1, 5)
}

// TestEveryOperationAuthenticates: no operation answers who proved nobody, by any method.
func TestEveryOperationAuthenticates(t *testing.T) {
	w := newWorld(t)
	for op := range native.Requests() {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if method == http.MethodGet && !operation(op).Reads {
				continue
			}
			r := w.ask(method, "/v1/"+op, nil)
			r.Header.Del("Authorization")
			if a := w.do(r); a.status != http.StatusUnauthorized || a.id == "" {
				t.Errorf("%s %s: %d %s", method, op, a.status, a.body)
			}
		}
	}
}
