package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/server"
)

func TestPanicEndsOneRequest(t *testing.T) {
	const canary = "canary-0815"
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/early":
			w.Header().Set("Content-Length", "3")
			w.Header().Set("Content-Encoding", "br")
			w.Header().Set("Haven-Request-Id", "r-1")
			panic(canary)
		case "/late":
			io.WriteString(w, "half")
			w.(interface{ Unwrap() http.ResponseWriter }).Unwrap().(http.Flusher).Flush()
			panic(canary)
		}
	}), nil)
	client := f.client(t)
	answer, err := client.Get(f.Endpoint() + "/early")
	if err != nil {
		t.Fatal(err)
	}
	body := string(must(io.ReadAll(answer.Body)))
	answer.Body.Close()
	if answer.StatusCode != 500 || answer.Header.Get("Content-Type") != "application/problem+json" ||
		answer.Header.Get("Content-Encoding") != "" || answer.Header.Get("Haven-Request-Id") != "r-1" || !strings.Contains(body, `"code":"internal"`) {
		t.Errorf("%s %v %s", answer.Status, answer.Header, body)
	}
	if answer, err := client.Get(f.Endpoint() + "/late"); err == nil {
		if _, err := io.ReadAll(answer.Body); err == nil {
			t.Error("half an answer looks whole")
		}
		answer.Body.Close()
	}
	if status, _ := get(t, client, f.Endpoint()+"/fine"); status != 200 {
		t.Errorf("after the panics: %d", status)
	}
	if strings.Contains(body+f.log.String(), canary) {
		t.Error("the panic's value was shown")
	}
	if _, metrics := get(t, client, f.Endpoint()+"/metrics"); !strings.Contains(metrics, "haven_http_panics_total 2") {
		t.Error("panics were not counted")
	}
	if !strings.Contains(f.log.String(), "handler_test.go") && !strings.Contains(f.log.String(), "TestPanicEndsOneRequest") {
		t.Errorf("the log does not say where: %s", f.log)
	}
}

func TestOnlyHealthAnswersWhileLocked(t *testing.T) {
	f := serve(t, nil, nil)
	client := f.client(t)
	expect := func(path string, status int, contains string) {
		t.Helper()
		if got, body := get(t, client, f.Endpoint()+path); got != status || !strings.Contains(body, contains) {
			t.Errorf("%s: %d %s, want %d %s", path, got, body, status, contains)
		}
	}
	expect("/healthz", 200, `{"alive":true}`)
	expect("/readyz", 503, `{"ready":false,"reasons":["locked"]}`)
	for _, path := range []string{"/", "/v1/encrypt", "/metrics", "/console/", "/healthz/"} {
		expect(path, 503, `"code":"locked"`)
	}
	f.SetHandler(ok())
	expect("/v1/encrypt", 200, "")
	expect("/readyz", 200, `{"ready":true,"reasons":[]}`)
	expect("/metrics", 200, "haven_http_requests_total")
	f.SetHandler(nil)
	expect("/v1/encrypt", 503, `"code":"locked"`)
}

func TestReadinessFollowsItsFunction(t *testing.T) {
	var reasons atomic.Pointer[[]string]
	reasons.Store(&[]string{})
	f := serve(t, ok(), func(c *server.Config) { c.Readiness = func() []string { return *reasons.Load() } })
	client := f.client(t)
	for _, c := range []struct {
		reasons []string
		status  int
	}{{nil, 200}, {[]string{"store"}, 503}, {[]string{"store", "clock"}, 503}, {nil, 200}} {
		reasons.Store(&c.reasons)
		status, body := get(t, client, f.Endpoint()+"/readyz")
		if status != c.status {
			t.Errorf("%v: %d %s", c.reasons, status, body)
		}
		for _, reason := range c.reasons {
			if !strings.Contains(body, `"`+reason+`"`) {
				t.Errorf("%s does not say %s", body, reason)
			}
		}
	}
	request := must(http.NewRequest(http.MethodPost, f.Endpoint()+"/readyz", nil))
	if status, _ := do(t, client, request); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", status)
	}
}

func TestRegistryIsTheServersOwn(t *testing.T) {
	f := serve(t, ok(), nil)
	f.Registry().MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "haven_test"}, func() float64 { return 7 }))
	if _, body := get(t, f.client(t), f.Endpoint()+"/metrics"); !strings.Contains(body, "haven_test 7") {
		t.Error("a metric registered there is not shown")
	}
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "haven_") {
			t.Errorf("%s is in the global registry", family.GetName())
		}
	}
}

func TestAccessLogHoldsNothingThatWasSent(t *testing.T) {
	const canary = "canary-2342"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/encrypt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Haven-Request-Id", "r-77")
		w.WriteHeader(http.StatusTeapot)
	})
	f := serve(t, mux, func(c *server.Config) { c.AccessLog = true })
	client := f.client(t)
	for _, path := range []string{"/v1/encrypt?q=" + canary, "/" + canary, "/%2e/" + canary} {
		request := must(http.NewRequest(http.MethodPost, f.Endpoint()+path, strings.NewReader(canary)))
		request.Header.Set("Authorization", "Bearer "+canary)
		request.Header.Set("User-Agent", canary)
		do(t, client, request)
	}
	request := must(http.NewRequest(canary, f.Endpoint()+"/v1/encrypt", nil))
	do(t, client, request)
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	log := f.log.String()
	for _, want := range []string{`"route":"POST /v1/encrypt"`, `"status":418`, `"request_id":"r-77"`, `"remote":"127.0.0.1:`, `"method":"other"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, canary) {
		t.Errorf("the log holds what was sent:\n%s", log)
	}
}

// FuzzPlainPath: a path that reaches the handler is the one that cleaning it would give.
func FuzzPlainPath(f *testing.F) {
	for _, seed := range []string{"/", "/v1/encrypt", "/console/", "/a/../b", "//", "/%2e%2e/", "/a%2fb", "/a%00", "/%25", `/\`} {
		f.Add(seed)
	}
	dir := filepath.Join(f.TempDir(), "data")
	var reached *http.Request
	cfg, _ := config(f, dir, clock.NewManual(start))
	s, err := server.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	s.SetHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached = r }))
	f.Fuzz(func(t *testing.T, target string) {
		request, err := http.NewRequest(http.MethodGet, "https://localhost"+target, nil)
		if err != nil {
			return // net/http refuses it by itself
		}
		reached = nil
		s.ServeHTTP(httptest.NewRecorder(), request)
		if reached == nil {
			return
		}
		got := reached.URL.Path
		if clean := path.Clean(got); got != clean && got != clean+"/" {
			t.Errorf("%q reached the handler; cleaned it is %q", got, clean)
		}
		if strings.ContainsAny(got, "\\\x00") || strings.Count(got, "/") != strings.Count(reached.URL.EscapedPath(), "/") {
			t.Errorf("%q hides a slash, backslash or NUL", got)
		}
	})
}

// BenchmarkFront is what the server adds to each request, without the network and net/http.
func BenchmarkFront(b *testing.B) {
	cfg, _ := config(b, filepath.Join(b.TempDir(), "data"), clock.System())
	s := must(server.New(cfg))
	defer s.Close()
	s.SetHandler(ok())
	request := must(http.NewRequest(http.MethodPost, "https://localhost/v1/encrypt", nil))
	answer := discard{}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(answer, request)
	}
}

// discard is an answer nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return nil }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
