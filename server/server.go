// Package server puts http.Handlers on the network: listeners, TLS, limits, health, metrics, the
// unseal socket and a graceful stop.
//
// It guarantees that no request reaches a handler with a path in other than plain form, that
// connections, headers, bodies, times and failed authentications are bounded, that a handler's
// panic ends one request and not the process, and that while the store is locked nothing but
// health is answered.
//
// It knows no keys, principals or operations, never logs a value that a caller sent, and never
// registers anything in a global registry. The server's private TLS keys lie unencrypted (0600)
// in the data folder by design: a server must be able to start alone.
package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
)

// Server is one listener, its handlers and, where configured, the unseal socket.
type Server struct {
	cfg      Config
	listener net.Listener
	http     *http.Server
	unseal   *unsealSocket // nil when not configured
	metrics  *metrics
	flood    *floodGuard

	root     atomic.Pointer[http.Handler] // nil while locked
	stopping atomic.Bool
}

// New validates the configuration, prepares the certificate and opens the listeners, so that
// [Server.Endpoint] is known; connections wait until [Server.Run]. A server that is not run must
// be closed. It starts locked: see [Server.SetHandler].
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	source, err := openCertificates(cfg)
	if err != nil {
		return nil, err
	}
	guard, err := newFloodGuard(cfg.Limits, cfg.Clock)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, flood: guard, metrics: newMetrics(source, guard)}
	s.http = s.newHTTPServer(source)
	tcp, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("server: listen: %w", err)
	}
	s.listener = netutil.LimitListener(tcp, s.connectionLimit())
	if cfg.Unseal != nil {
		if s.unseal, err = openUnsealSocket(s); err != nil {
			return nil, errors.Join(err, tcp.Close())
		}
	}
	return s, nil
}

func (s *Server) newHTTPServer(source certificateSource) *http.Server {
	limits := s.cfg.Limits
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler:           s,
		TLSConfig:         tlsConfig(source),
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: limits.Streams},
		MaxHeaderBytes:    limits.HeaderBytes,
		ReadHeaderTimeout: limits.ReadHeader,
		ReadTimeout:       limits.Read,
		WriteTimeout:      limits.Write,
		IdleTimeout:       limits.Idle,
		ErrorLog:          log.New(connectionErrors{s}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, newConnection(c.RemoteAddr()))
		},
		// The path "*" goes through the same door as all others.
		DisableGeneralOptionsHandler: true,
	}
}

// reservedFiles are kept for the store and the journal, whatever connections come.
const reservedFiles = 64

// connectionLimit is the configured bound, lowered to what the process may open: running out of
// file descriptors in the journal is worse than a connection that waits.
func (s *Server) connectionLimit() int {
	limit := s.cfg.Limits.Connections
	files, known := openFilesLimit()
	if !known {
		return limit
	}
	// A process started with hardly any keeps a few connections: enough to be told so.
	room := max(files-reservedFiles, 8)
	if room < limit {
		s.cfg.Log.Warn("fewer connections than configured: the limit of open files is low",
			slog.Int("connections", room), slog.Int("configured", limit))
		return room
	}
	return limit
}

// Endpoint is the URL clients use, with the port that was picked. A listener on every address
// answers with localhost, which the own certificate names.
func (s *Server) Endpoint() string {
	address := s.listener.Addr().(*net.TCPAddr)
	host, _, _ := net.SplitHostPort(s.cfg.Listen) // validated by New
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "https://" + net.JoinHostPort(host, fmt.Sprint(address.Port))
}

// CAFile is the path of the certificates that clients should trust.
func (s *Server) CAFile() string { return s.cfg.CAFile }

// Registry is the server's own metrics registry, for others to register theirs in. It is shown
// at /metrics to whoever asks, so no label may hold a key's, a principal's or a caller's name.
func (s *Server) Registry() *prometheus.Registry { return s.metrics.registry }

// SetHandler unlocks: from now on the handler answers all but health. Nil locks again; requests
// already in the handler go on.
func (s *Server) SetHandler(h http.Handler) {
	if h == nil {
		s.root.Store(nil)
		return
	}
	s.root.Store(&h)
}

// Run serves until the context ends or a listener fails, then stops: it removes the ready file,
// accepts no more, lets requests in flight end within Limits.Drain and cuts off the rest. It
// returns nil after a stop that was asked for. It must be called once.
func (s *Server) Run(ctx context.Context, a Announcement) error {
	defer s.Close()
	// The listeners have been open since New, so whoever reads the file now is answered.
	withdraw, err := a.publish(s.Endpoint(), s.cfg.CAFile)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		// On a full disk keys must still be revoked; clients can be told the endpoint otherwise.
		s.cfg.Log.Error("the ready file could not be written: the disk is full", slog.String("endpoint", s.Endpoint()))
		err = nil
	}
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- s.http.ServeTLS(s.listener, "", "") }()
	if s.unseal != nil {
		go func() { ended <- s.unseal.serve() }()
	}
	s.cfg.Log.Info("serving", slog.String("endpoint", s.Endpoint()))
	if a.Ready != nil {
		a.Ready()
	}
	select {
	case <-ctx.Done():
	case err = <-ended:
		err = fmt.Errorf("server: the listener failed: %w", err)
	}
	withdraw(s.cfg.Log)
	s.stop()
	return err
}

func (s *Server) stop() {
	s.stopping.Store(true)
	// Not the context of Run: that one has ended, and draining begins now.
	drain, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.Drain)
	defer cancel()
	err := s.http.Shutdown(drain)
	if s.unseal != nil {
		err = errors.Join(err, s.unseal.http.Shutdown(drain))
	}
	if err != nil {
		s.cfg.Log.Warn("requests were cut off at the stop", slog.Any("error", err))
		return
	}
	s.cfg.Log.Info("stopped")
}

// Close closes listeners and connections at once. It may be called more than once.
func (s *Server) Close() error {
	err := errors.Join(s.http.Close(), s.listener.Close())
	if s.unseal != nil {
		err = errors.Join(err, s.unseal.http.Close(), s.unseal.listener.Close())
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// connectionErrors takes the lines net/http writes about connections. All are counted. Of failed
// handshakes the text is logged, at debug level, since it names the remote address and TLS's own
// reason; of the others it is not, since it may hold what was sent.
type connectionErrors struct{ s *Server }

func (e connectionErrors) Write(line []byte) (int, error) {
	e.s.metrics.connErrors.Inc()
	switch {
	case bytes.HasPrefix(line, []byte("http: TLS handshake error")):
		e.s.cfg.Log.Debug("handshake failed", slog.String("reason", string(bytes.TrimSpace(line))))
	case bytes.HasPrefix(line, []byte("http: Accept error")):
		e.s.cfg.Log.Warn("a connection could not be accepted; trying again")
	default:
		e.s.cfg.Log.Debug("a connection failed")
	}
	return len(line), nil
}
