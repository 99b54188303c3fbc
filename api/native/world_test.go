package native_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store/memory"
)

// A canary is sent where it must not come back from: it stands in no answer, no log and no record.
// Its base64 is base64 itself, so that it can be a plaintext too.
const (
	canary       = "CANARY-7f3e2b91!"
	canaryBase64 = "Q0FOQVJZLTdmM2UyYjkxIQ=="
)

var start = time.Date(2026, 3, 2, 3, 4, 5, 600_000_000, time.UTC)

// world is the API over a whole system, on a store in memory and a clock that stands.
type world struct {
	t       testing.TB
	store   *memory.Store
	clock   *clock.Manual
	system  *haven.System
	handler http.Handler
	token   string
	log     *logged
}

// logged collects what the system logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newWorld opens a new system; when the test ends it is checked as haven fsck does.
func newWorld(t testing.TB, adjust ...func(*native.Config)) *world {
	t.Helper()
	file, err := seal.NewKeyFile(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: memory.New(1), clock: clock.NewManual(start), log: &logged{}}
	w.system, err = haven.Open(t.Context(), haven.Config{
		Store: w.store, Seals: map[string]seal.Seal{seal.Daily: file}, Clock: w.clock, NoScheduler: true,
		AdvanceClock: func(d time.Duration) error { w.clock.Advance(d); return nil },
		Log:          slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	token, ok := w.system.FirstToken()
	if !ok {
		t.Fatal("a new store without its administrator's token")
	}
	w.token = string(secret.Expose(token))
	cfg := native.Config{Gate: w.system.Gate(), Keys: w.system.Manager(), Audit: w.system.Audit(), Identity: w.system.IdentityManager(), Rotation: w.system.Scheduler(), Vault: w.system.Vault(), Version: "test"}
	for _, f := range adjust {
		f(&cfg)
	}
	w.handler = native.New(cfg)
	return w
}

func (w *world) end() {
	report, err := w.system.Check(context.WithoutCancel(w.t.Context()), nil)
	if err != nil || len(report.Findings) > 0 || report.Records == 0 {
		w.t.Errorf("check: %d records, %v %v", report.Records, report.Findings, err)
	}
	if err := w.system.Close(); err != nil {
		w.t.Error(err)
	}
	w.clean("the log", []byte(w.log.String()))
}

func (w *world) clean(where string, b []byte) {
	w.t.Helper()
	for _, c := range []string{canary, canaryBase64} {
		if bytes.Contains(b, []byte(c)) {
			w.t.Errorf("%s holds what a caller sent", where)
		}
	}
	if bytes.Contains(b, []byte(w.token)) {
		w.t.Errorf("%s holds the token", where)
	}
}

// answer is what came back, and the records that stand under its request id.
type answer struct {
	status  int
	header  http.Header
	body    string
	id      string
	records []journal.Record
}

// own counts the records of the call but for the sample of strangers that it may have become, whose
// record nobody waits for.
func (a *answer) own() (n int) {
	for _, r := range a.records {
		if r.Operation != gate.Unrecognized.Number {
			n++
		}
	}
	return n
}

// problem decodes an answer that is one.
func (a *answer) problem(t testing.TB) native.Problem {
	t.Helper()
	var p native.Problem
	if err := json.Unmarshal([]byte(a.body), &p, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("no problem: %d %s", a.status, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a problem as %q", got)
	}
	if p.Status != a.status || p.RequestID != a.id || p.Title != http.StatusText(a.status) {
		t.Errorf("a problem that contradicts its answer: %d %s %+v", a.status, a.id, p)
	}
	return p
}

// refused demands a problem with this code, and its one record.
func (a *answer) refused(t testing.TB, code gate.Code) native.Problem {
	t.Helper()
	p := a.problem(t)
	if p.Code != code.String() || a.status != native.Statuses[code] {
		t.Errorf("want %s, got %d %s", code, a.status, a.body)
	}
	if len(a.records) != 1 {
		t.Errorf("%d records of a refused call: %s", len(a.records), a.body)
	} else if r := a.records[0]; r.Outcome == journal.Allowed || r.Error != uint16(code) {
		t.Errorf("the record says %v, error %d; the answer %s", r.Outcome, r.Error, code)
	}
	return p
}

// ask builds an authenticated request; header holds names and values in turn.
func (w *world) ask(method, path string, body io.Reader, header ...string) *http.Request {
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, body)
	r.Header.Set("Authorization", "Bearer "+w.token)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// do serves a request, and finds what it left in the journal.
func (w *world) do(r *http.Request) *answer {
	w.t.Helper()
	before := w.position()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	a := &answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	a.id = a.header.Get("Haven-Request-Id")
	if a.id == "" {
		return a
	}
	id, ok := gate.ParseID(a.id)
	if !ok {
		w.t.Fatalf("a request id that is none: %q", a.id)
	}
	for _, record := range w.records(before) {
		if record.Request == id {
			a.records = append(a.records, record)
		}
	}
	return a
}

func (w *world) position() uint64 {
	w.t.Helper()
	head, err := w.store.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return head.Position
}

// records returns the records from a position on; none holds the canary.
func (w *world) records(from uint64) (out []journal.Record) {
	w.t.Helper()
	for f, err := range w.store.Records(w.t.Context(), from) {
		if err != nil {
			w.t.Fatal(err)
		}
		w.clean("the journal", f.Data)
		frame, err := journal.DecodeFrame(f.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		for raw, err := range frame.Records() {
			if err != nil {
				w.t.Fatal(err)
			}
			record, err := journal.DecodeRecord(raw)
			if err != nil {
				w.t.Fatal(err)
			}
			out = append(out, record)
		}
	}
	return out
}

// post asks an operation for something.
func (w *world) post(operation, body string, header ...string) *answer {
	w.t.Helper()
	return w.do(w.ask(http.MethodPost, "/v1/"+operation, strings.NewReader(body), header...))
}

// get asks by query.
func (w *world) get(operation, query string) *answer {
	w.t.Helper()
	return w.do(w.ask(http.MethodGet, "/v1/"+operation+query, nil))
}

// must decodes an answer that has to be a success.
func must[T any](t testing.TB, a *answer) T {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

// newKey makes a data key and returns its id.
func (w *world) newKey() string {
	w.t.Helper()
	return must[client.Key](w.t, w.post("create-key", `{"purpose":"Patient data encryption","type":"data"}`)).KeyID
}

// quoted is a string in JSON.
func quoted(t testing.TB, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
