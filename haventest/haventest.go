// Package haventest runs a whole Haven server for a test: a real listener with TLS, a real store
// in a temporary folder, and a client that is the administrator.
//
//	func TestMyService(t *testing.T) {
//		h := haventest.New(t)
//		key := h.MustCreateKey("Patient data encryption")
//		service := NewService(h.Client, key.KeyID)
//		…
//		h.Restart() // and it is all still there
//	}
//
// It guarantees that what the server does is what a production server does: nothing is mocked.
// When the test ends the server is stopped and its store is checked as haven fsck checks one; a
// finding fails the test. It never uses a fixed port, the network beyond this machine, or a folder
// outside the test's own. There is no init and no global state: servers of parallel tests know
// nothing of each other.
package haventest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/server"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// Server is a Haven server that runs until its test ends.
type Server struct {
	// Client calls the server as the administrator. Restart replaces it.
	Client *client.Client

	t       testing.TB
	dir     string
	memory  store.Store // nil: the embedded store
	seals   map[string]seal.Seal
	clock   *clock.Manual // nil: the machine's
	token   string
	running *haven.Server
	stop    func() // waits until the server has ended
}

// Option changes what New starts.
type Option func(*Server)

// InMemory keeps the store in memory: faster, and gone with the test.
func InMemory() Option {
	return func(s *Server) { s.memory = memory.New(1) }
}

// At sets the server's clock to a time and lets it stand there until Advance or StepClock. TLS
// goes by the machine's clock nevertheless, since the client does.
func At(start time.Time) Option {
	return func(s *Server) { s.clock = clock.NewManual(start) }
}

// New starts a server, or ends the test.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{t: t, dir: filepath.Join(t.TempDir(), "haven")}
	for _, option := range options {
		option(s)
	}
	if s.memory != nil {
		file, err := seal.NewKeyFile(rand.Reader)
		s.must("making a key file", err)
		s.seals = map[string]seal.Seal{seal.Daily: file}
	}
	s.start()
	t.Cleanup(s.finish)
	return s
}

func (s *Server) config() haven.Config {
	cfg := haven.Config{DataDir: s.dir, Seals: s.seals}
	// Not assigned when nil: an interface that holds a nil pointer is not nil.
	if s.memory != nil {
		cfg.Store = s.memory
	}
	if s.clock != nil {
		cfg.Clock = s.clock
	}
	return cfg
}

func (s *Server) start() {
	s.t.Helper()
	cfg := haven.ServeConfig{Config: s.config(), Listen: "127.0.0.1:0", Initialize: true, ListenerClock: clock.System()}
	var err error
	cfg.Log, err = server.NewLogger(s.t.Output(), "text", slog.LevelWarn)
	s.must("making a log", err)
	s.running, err = haven.NewServer(context.Background(), cfg)
	s.must("starting", err)
	s.must("unlocking", s.running.Locked())
	if token, made := s.System().FirstToken(); made {
		s.token = string(secret.Expose(token))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.running.Run(ctx, server.Announcement{}) }()
	s.stop = func() {
		s.t.Helper()
		s.Client.Close()
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("haventest: the server ended with: %v", err)
		}
	}
	// Connections wait from here on, so there is nothing to wait for.
	s.Client, err = client.New(client.Config{Endpoint: s.Endpoint(), CAFile: s.CAFile(), Token: client.Token(s.token)})
	s.must("making a client", err)
}

// Restart stops the server and starts another on the same store, with what an operator holds: the
// folder and the seal. The new one listens elsewhere, so Client is a new client.
func (s *Server) Restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// finish stops the server and checks the store.
func (s *Server) finish() {
	s.t.Helper()
	s.stop()
	report, err := haven.Fsck(context.Background(), s.config(), nil)
	if err != nil {
		s.t.Errorf("haventest: checking the store: %v", err)
		return
	}
	for _, finding := range report.Findings {
		s.t.Errorf("haventest: the store is not as Haven wrote it: %s: %s", finding.Place, finding.What)
	}
	if report.Records == 0 && len(report.Findings) == 0 {
		s.t.Error("haventest: the store has no record, not even of its making")
	}
}

// must ends the test if the server itself cannot do what it should.
func (s *Server) must(what string, err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatalf("haventest: %s: %v", what, err)
	}
}

// Endpoint is the server's URL.
func (s *Server) Endpoint() string { return s.running.Endpoint() }

// CAFile is the path of the certificate to trust.
func (s *Server) CAFile() string { return s.running.CAFile() }

// Token is the administrator's bearer token.
func (s *Server) Token() client.Token { return client.Token(s.token) }

// Dir is the server's data folder. Nothing may change in it while the server runs.
func (s *Server) Dir() string { return s.dir }

// System is the server's system, for tests that look inside. Restart replaces it.
func (s *Server) System() *haven.System {
	system, unlocked := s.running.System()
	if !unlocked {
		s.t.Helper()
		s.t.Fatal("haventest: the server is locked")
	}
	return system
}

// HTTPClient is a plain HTTP client that trusts the server and sends no token, for tests of what
// Client does not speak.
func (s *Server) HTTPClient() *http.Client {
	s.t.Helper()
	pem, err := os.ReadFile(s.CAFile())
	s.must("reading the certificate", err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		s.t.Fatalf("haventest: %s holds no certificate", s.CAFile())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Advance lets time pass on a server that New started At a time.
func (s *Server) Advance(d time.Duration) {
	s.t.Helper()
	s.manual().Advance(d)
}

// StepClock sets the wall clock of a server that New started At a time without time passing, as
// an operator, a time server or an attacker does.
func (s *Server) StepClock(d time.Duration) {
	s.t.Helper()
	s.manual().Step(d)
}

func (s *Server) manual() *clock.Manual {
	if s.clock == nil {
		s.t.Helper()
		s.t.Fatal("haventest: the clock is the machine's; use New(t, At(time))")
	}
	return s.clock
}
