package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/server"
)

// start is when the manual clocks of these tests begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// logBuffer is a log that several goroutines write and a test reads.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// fixture is a server running on a real listener in a folder of its own.
type fixture struct {
	*server.Server
	dir   string
	clock *clock.Manual
	log   *logBuffer
	stop  func() error // ends Run and returns what it returned
}

func config(t testing.TB, dir string, c clock.Clock) (server.Config, *logBuffer) {
	t.Helper()
	folder, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	logged := new(logBuffer)
	log, err := server.NewLogger(logged, "json", slog.LevelDebug)
	if err != nil {
		t.Fatal(err)
	}
	return server.Config{
		Listen: "127.0.0.1:0", DataDir: dir, Disk: folder, Clock: c, Log: log,
		Readiness: func() []string { return nil },
	}, logged
}

// serve starts a server with handler as its root; nil leaves it locked. It is stopped, and must
// have stopped well, when the test ends.
func serve(t *testing.T, handler http.Handler, change func(*server.Config)) *fixture {
	t.Helper()
	f := &fixture{dir: filepath.Join(t.TempDir(), "data"), clock: clock.NewManual(start)}
	cfg, logged := config(t, f.dir, f.clock)
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.Server, err = server.New(cfg); err != nil {
		t.Fatal(err)
	}
	f.log = logged
	f.SetHandler(handler)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- f.Run(ctx, server.Announcement{File: filepath.Join(f.dir, "ready.json"), Region: "us-east-1", Account: "000000000000"})
	}()
	f.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

// tls returns a client's TLS configuration that trusts the server's own authority alone and lives
// in the test's time.
func (f *fixture) tls(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(f.dir, "tls", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("ca.crt holds no certificate")
	}
	return &tls.Config{RootCAs: roots, Time: f.clock.Wall, ServerName: "localhost"}
}

func (f *fixture) client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: f.tls(t)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// dial opens a TLS connection.
func (f *fixture) dial(t *testing.T) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", f.address(), f.tls(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (f *fixture) address() string { return strings.TrimPrefix(f.Endpoint(), "https://") }

// get returns status and body of an answer.
func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	return do(t, client, must(http.NewRequest(http.MethodGet, url, nil)))
}

func do(t *testing.T, client *http.Client, request *http.Request) (int, string) {
	t.Helper()
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ok() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
}

func TestConfigIsValidated(t *testing.T) {
	cases := map[string]func(*server.Config){
		"no listen address":      func(c *server.Config) { c.Listen = "" },
		"no port":                func(c *server.Config) { c.Listen = "localhost" },
		"no data folder":         func(c *server.Config) { c.DataDir = "" },
		"no clock":               func(c *server.Config) { c.Clock = nil },
		"no log":                 func(c *server.Config) { c.Log = nil },
		"no readiness":           func(c *server.Config) { c.Readiness = nil },
		"no disk":                func(c *server.Config) { c.Disk = nil },
		"certificate, no key":    func(c *server.Config) { c.CertFile = "x" },
		"hosts of a given cert":  func(c *server.Config) { c.CertFile, c.KeyFile, c.Hosts = "x", "y", []string{"z"} },
		"host with a port":       func(c *server.Config) { c.Hosts = []string{"kms.example.org:443"} },
		"negative limit":         func(c *server.Config) { c.Limits.Connections = -1 },
		"rate without burst":     func(c *server.Config) { c.Limits.FailedTotal = server.Rate{PerSecond: 1, Keys: 1} },
		"absent certificate":     func(c *server.Config) { c.CertFile, c.KeyFile = "/nonexistent/c", "/nonexistent/k" },
		"data folder path long":  func(c *server.Config) { longDataDir(c) },
		"listen address not had": func(c *server.Config) { c.Listen = "192.0.2.1:1" },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, filepath.Join(t.TempDir(), "data"), clock.NewManual(start))
			change(&cfg)
			if s, err := server.New(cfg); err == nil {
				s.Close()
				t.Fatal("accepted")
			}
		})
	}
}

func longDataDir(c *server.Config) {
	c.DataDir = "/" + strings.Repeat("d", 120)
	c.Unseal = func(context.Context, []byte) error { return nil }
}

func TestReadyFileIsThereWhileServing(t *testing.T) {
	f := serve(t, ok(), nil)
	get(t, f.client(t), f.Endpoint()+"/")
	name := filepath.Join(f.dir, "ready.json")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %o, want 600", mode)
	}
	text := string(must(os.ReadFile(name)))
	for _, want := range []string{`"endpoint":"` + f.Endpoint() + `"`, `"ca_file":"` + filepath.Join(f.dir, "tls/ca.crt") + `"`,
		`"region":"us-east-1"`, `"account":"000000000000"`, `"pid":`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	if strings.Contains(text, "token") {
		t.Errorf("%s names an empty token", text)
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("after the stop: %v, want none", err)
	}
}

func TestAnnouncementDoesNotPrintCredentials(t *testing.T) {
	const canary = "canary-4711"
	a := server.Announcement{File: "f", Token: canary, AccessKeyID: canary, SecretAccessKey: canary}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "a", a)
	text := strings.Join([]string{out.String(), a.String(), a.GoString()}, " ")
	if strings.Contains(text, canary) {
		t.Errorf("printed: %s", text)
	}
}

func TestStopLetsRequestsEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "whole")
	}), nil)
	client := f.client(t)
	bodies := make(chan string, 1)
	go func() {
		answer, err := client.Get(f.Endpoint() + "/slow")
		if err != nil {
			bodies <- err.Error()
			return
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		bodies <- string(body)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- f.stop() }()
	close(leave)
	if got := <-bodies; got != "whole" {
		t.Errorf("a request in flight got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestStopCutsOffAfterTheDeadline(t *testing.T) {
	entered := make(chan struct{})
	f := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), func(c *server.Config) { c.Limits.Drain = time.Millisecond })
	client := f.client(t)
	failed := make(chan error, 1)
	go func() {
		_, err := client.Get(f.Endpoint() + "/endless")
		failed <- err
	}()
	<-entered
	if err := f.stop(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the endless request got an answer")
	}
	if !strings.Contains(f.log.String(), "cut off") {
		t.Error("nothing logged of it")
	}
}

func TestServesHTTP2AndHTTP1(t *testing.T) {
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }), nil)
	if _, body := get(t, f.client(t), f.Endpoint()+"/"); body != "HTTP/1.1" {
		t.Errorf("got %s", body)
	}
	client := f.client(t)
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	if _, body := get(t, client, f.Endpoint()+"/"); body != "HTTP/2.0" {
		t.Errorf("got %s", body)
	}
}
