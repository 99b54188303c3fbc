package pairwise_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a server of its own, on a data folder of its own.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	ended    chan struct{}
	folder   string
	endpoint string
	token    string
	http     *http.Client
	stderr   bytes.Buffer
}

// build builds Haven as it is, and returns the binary's path.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "haven")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/haven").CombinedOutput()
	if err != nil {
		t.Fatalf("building Haven: %v\n%s", err, out)
	}
	return binary
}

// start makes a store and serves it under GODEBUG=fips140=mode.
func start(t *testing.T, binary, mode string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{}), folder: filepath.Join(t.TempDir(), "data")}
	environment := append(os.Environ(), "GODEBUG=fips140="+mode)
	initialize := exec.CommandContext(t.Context(), binary, "init", "--data", p.folder, "--output", "json")
	initialize.Env = environment
	out, err := initialize.Output()
	if err != nil {
		t.Fatalf("haven init: %v", err)
	}
	var made struct{ Token string }
	p.must(json.Unmarshal(out, &made))
	p.token = made.Token
	p.cmd = exec.Command(binary, "serve", "--data", p.folder, "--listen", "127.0.0.1:0", "--output", "json")
	p.cmd.Env, p.cmd.Stderr = environment, &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	p.must(err)
	p.must(p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	var ready struct {
		Endpoint string `json:"endpoint"`
		CAFile   string `json:"ca_file"`
	}
	decoder := json.NewDecoder(stdout)
	err = decoder.Decode(&ready)
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	if err != nil {
		t.Fatalf("haven serve: %v; %s", err, &p.stderr)
	}
	pem, err := os.ReadFile(ready.CAFile)
	p.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	p.endpoint = ready.Endpoint
	p.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: false, MaxIdleConnsPerHost: workers,
	}}
	return p
}

func (p *process) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the process as an operator does.
func (p *process) stop() {
	p.t.Helper()
	p.must(p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("the server ended with %d: %s", code, &p.stderr)
	}
	if s := p.stderr.String(); strings.Contains(s, "panic") || strings.Contains(s, "goroutine ") {
		p.t.Errorf("the server panicked: %s", s)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends one request, authenticated.
func (p *process) send(method, path string, header http.Header, body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, p.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header.Clone()
	r.Header.Set("Authorization", "Bearer "+p.token)
	response, err := p.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	a := &answer{status: response.StatusCode, header: response.Header}
	a.body, err = io.ReadAll(response.Body)
	return a, err
}

// post asks for an operation; the answer, or the problem, is decoded.
func (p *process) post(operation string, request map[string]any) (map[string]any, int) {
	p.t.Helper()
	body, err := json.Marshal(request)
	p.must(err)
	a, err := p.send(http.MethodPost, "/v1/"+operation, http.Header{"Content-Type": {"application/json"}}, body)
	p.must(err)
	out := map[string]any{}
	if err := json.Unmarshal(a.body, &out); err != nil {
		p.t.Fatalf("%s: %d %s", operation, a.status, a.body)
	}
	return out, a.status
}
