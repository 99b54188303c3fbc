package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
)

const token = "hvn-token-canary"

// answer is what the contract server answers to one try.
type answer struct {
	status int
	header map[string]string
	body   string
	reset  bool // the connection is reset instead
}

func okay(body string) answer { return answer{status: 200, body: body} }

func problem(status int, code string) answer {
	return answer{status: status, header: map[string]string{"Content-Type": "application/problem+json", "Haven-Request-Id": "r-1"},
		body: `{"title":"x","status":0,"code":"` + code + `","detail":"do this","request_id":"r-1","decision_id":"d-1"}`}
}

// try is what arrived in one try.
type try struct {
	method, path, body string
	header             http.Header
	resumed            bool // the TLS session
}

// contract is a TLS server that answers a script, the last line of it for ever, and keeps what
// arrived.
type contract struct {
	*httptest.Server
	mu     sync.Mutex
	script []answer
	tries  []try
	conns  int
	pauses []time.Duration
}

func newContract(t *testing.T, script ...answer) *contract {
	t.Helper()
	s := &contract{script: script}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
		}
	}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *contract) next(arrived try) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries = append(s.tries, arrived)
	now := s.script[0]
	if len(s.script) > 1 {
		s.script = s.script[1:]
	}
	return now
}

func (s *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	a := s.next(try{r.Method, r.URL.Path, string(body), r.Header.Clone(), r.TLS.DidResume})
	if a.reset {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_ = conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
		_ = conn.(*tls.Conn).NetConn().Close()
		return
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

func (s *contract) arrived() []try {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *contract) answerWith(script ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.tries = script, nil
}

func (s *contract) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

// client returns one whose pauses take no time and are kept.
func (s *contract) client(t *testing.T, change ...func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{Endpoint: s.URL, RootCAs: s.roots(), Token: token,
		Wait: func(ctx context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pauses = append(s.pauses, d)
			return ctx.Err()
		}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConfigIsValidated(t *testing.T) {
	good := func() client.Config {
		return client.Config{Endpoint: "https://localhost:7443", RootCAs: x509.NewCertPool(), Token: "t"}
	}
	if _, err := client.New(good()); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*client.Config){
		"no endpoint":     func(c *client.Config) { c.Endpoint = "" },
		"plain http":      func(c *client.Config) { c.Endpoint = "http://localhost" },
		"user":            func(c *client.Config) { c.Endpoint = "https://user:secret@localhost" },
		"path":            func(c *client.Config) { c.Endpoint = "https://localhost/v1" },
		"query":           func(c *client.Config) { c.Endpoint = "https://localhost?secret" },
		"no token":        func(c *client.Config) { c.Token = "" },
		"token, new line": func(c *client.Config) { c.Token = "a\r\nsecret: b" },
		"nobody to trust": func(c *client.Config) { c.RootCAs = nil },
		"two to trust":    func(c *client.Config) { c.CAFile = "ca.crt" },
		"system and own":  func(c *client.Config) { c.SystemCAs = true },
		"absent CA file":  func(c *client.Config) { c.RootCAs, c.CAFile = nil, "/nonexistent/ca.crt" },
		"empty CA file":   func(c *client.Config) { c.RootCAs, c.CAFile = nil, empty },
		"negative":        func(c *client.Config) { c.Timeout = -1 },
	}
	for name, change := range cases {
		cfg := good()
		change(&cfg)
		if _, err := client.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows what was given: %v", name, err)
		}
	}
}

func TestConnectionsAndSessionsAreReused(t *testing.T) {
	s := newContract(t, okay(`{"ciphertext":"","key_id":"k","version":1}`))
	c := s.client(t)
	for range 20 {
		if _, err := c.Encrypt(t.Context(), client.EncryptRequest{Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	c.Close() // the idle connection, so that the next call needs another
	if _, err := c.Encrypt(t.Context(), client.EncryptRequest{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns != 2 {
		t.Errorf("%d connections, want one for the calls one after the other and one after the pause", s.conns)
	}
	if first, last := s.tries[0], s.tries[len(s.tries)-1]; first.resumed || !last.resumed {
		t.Errorf("TLS session resumed by the first connection: %t, by the second: %t", first.resumed, last.resumed)
	}
}

func TestOnlyTheGivenAuthorityIsTrusted(t *testing.T) {
	s := newContract(t, okay(`{}`))
	c := s.client(t, func(cfg *client.Config) { cfg.RootCAs = x509.NewCertPool() })
	if _, err := c.DescribeKey(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("got %v", err)
	}
	if len(s.arrived()) != 0 || len(s.pauses) != 0 {
		t.Error("something was sent, or tried again")
	}
}

func TestFromEnvironment(t *testing.T) {
	s := newContract(t, okay(`{"key_id":"k"}`))
	data := t.TempDir()
	ca := filepath.Join(data, "ca.crt")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	write(t, filepath.Join(data, "ready.json"), `{"endpoint":"`+s.URL+`","ca_file":"`+ca+`","region":"r","pid":1,"token":"ready-token"}`)
	call := func(variables map[string]string) string {
		t.Helper()
		for _, name := range []string{
			"HAVEN_ENDPOINT", "HAVEN_CA", "HAVEN_TOKEN", "HAVEN_DATA", "HAVEN_REGION",
			"HAVEN_ACCESS_KEY_ID", "HAVEN_SECRET_ACCESS_KEY", "HAVEN_CLIENT_CERT", "HAVEN_CLIENT_KEY",
		} {
			t.Setenv(name, variables[name])
		}
		c, err := client.FromEnvironment()
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		s.answerWith(okay(`{"key_id":"k"}`))
		if _, err := c.DescribeKey(t.Context(), "k"); err != nil {
			return err.Error()
		}
		return s.arrived()[0].header.Get("Authorization")
	}
	for _, c := range []struct {
		variables map[string]string
		want      string
	}{
		{map[string]string{"HAVEN_ENDPOINT": s.URL, "HAVEN_CA": ca, "HAVEN_TOKEN": "mine"}, "Bearer mine"},
		{map[string]string{"HAVEN_DATA": data}, "Bearer ready-token"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_TOKEN": "mine"}, "Bearer mine"},
		{map[string]string{"HAVEN_DATA": filepath.Join(data, "ready.json")}, "Bearer ready-token"},
		{map[string]string{"HAVEN_DATA": ca}, "not a ready file"},
		{map[string]string{"HAVEN_DATA": filepath.Join(data, "none.json")}, "HAVEN_DATA=FILE"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_ENDPOINT": s.URL}, "Bearer ready-token"},
		// The ready file's token is not for another server.
		{map[string]string{"HAVEN_DATA": data, "HAVEN_ENDPOINT": "https://localhost:1", "HAVEN_CA": ca}, "a token, an access key or a certificate is required"},
		// Who names another proof means that principal, not the one of the ready file.
		{map[string]string{"HAVEN_DATA": data, "HAVEN_ACCESS_KEY_ID": "AKIA1", "HAVEN_SECRET_ACCESS_KEY": accessSecret}, "AWS4-HMAC-SHA256 Credential=AKIA1/"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_ACCESS_KEY_ID": "AKIA1", "HAVEN_SECRET_ACCESS_KEY": accessSecret}, "/r/haven/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_REGION": "q", "HAVEN_ACCESS_KEY_ID": "AKIA1", "HAVEN_SECRET_ACCESS_KEY": accessSecret}, "/q/haven/"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_ACCESS_KEY_ID": "AKIA1"}, "an id and a secret"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_ACCESS_KEY_ID": "AKIA1", "HAVEN_SECRET_ACCESS_KEY": "short"}, "of a length that none has"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_TOKEN": "mine", "HAVEN_ACCESS_KEY_ID": "AKIA1", "HAVEN_SECRET_ACCESS_KEY": accessSecret}, "proven by one of them"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_CLIENT_CERT": ca}, "needs its key"},
		{map[string]string{"HAVEN_DATA": data, "HAVEN_CLIENT_CERT": ca, "HAVEN_CLIENT_KEY": ca}, "not a certificate and its key"},
		{map[string]string{"HAVEN_DATA": t.TempDir()}, "is the server running?"},
		{map[string]string{"HAVEN_TOKEN": "mine"}, "set HAVEN_DATA"},
	} {
		if got := call(c.variables); !strings.Contains(got, c.want) {
			t.Errorf("%v: %s, want %s", c.variables, got, c.want)
		}
	}
	write(t, filepath.Join(data, "ready.json"), `{"token":"canary`)
	if got := call(map[string]string{"HAVEN_DATA": data}); !strings.Contains(got, "not a ready file") || strings.Contains(got, "canary") {
		t.Errorf("a damaged ready file: %s", got)
	}
}

// accessSecret has the length of a secret access key.
const accessSecret = "canary-secret-access-key-of-40-charactrs"

// TestSigningKeyDoesNotPrint: nor does what holds one.
func TestSigningKeyDoesNotPrint(t *testing.T) {
	cfg := client.Config{SigningKey: client.SigningKey{ID: "AKIA1", Secret: accessSecret}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if shown := fmt.Sprintf(format, cfg) + fmt.Sprintf(format, &cfg.SigningKey); strings.Contains(shown, "canary") || !strings.Contains(shown, "AKIA1") {
			t.Errorf("%s: %s", format, shown)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
