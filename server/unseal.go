package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/net/netutil"
)

// ErrUnsealRefused says that a passphrase opens no seal. Config.Unseal returns an error that
// matches it.
var ErrUnsealRefused = errors.New("the passphrase opens no seal")

// ErrUnsealImpossible says that no passphrase could open the store. Config.Unseal returns an error
// that matches it, whose text is answered: what to do instead.
var ErrUnsealImpossible = errors.New("no seal of this store takes a passphrase")

const (
	// UnsealSocket is the socket's name in the data folder.
	UnsealSocket = "unseal.sock"

	maxUnsealBody        = 8 << 10
	maxUnsealConnections = 8
	// unsealTime bounds one attempt; deriving a key from a passphrase takes a second or so.
	unsealTime = 30 * time.Second
	// unixPathLimit is the room for a socket's path in sockaddr_un, less the ending zero byte.
	unixPathLimit = 107
)

// unsealSocket answers POST /unseal with {"passphrase": …} on a socket that only the server's own
// user can open. Attempts run one at a time, since deriving a key takes much memory on purpose,
// and at a bounded rate.
type unsealSocket struct {
	server   *Server
	listener net.Listener
	http     *http.Server
	rate     *RateLimiter

	mu       sync.Mutex // held during an attempt
	counts   sync.Mutex
	attempts UnsealAttempts
}

// UnsealAttempts counts what happened at the unseal socket since the start.
type UnsealAttempts struct {
	// Tried is how many passphrases were tried, Refused how many of them opened no seal, and
	// Throttled how many were not tried because too many came.
	Tried, Refused, Throttled uint64
}

// UnsealAttempts returns the attempts so far, for the record that is written once unlocked.
func (s *Server) UnsealAttempts() UnsealAttempts {
	if s.unseal == nil {
		return UnsealAttempts{}
	}
	s.unseal.counts.Lock()
	defer s.unseal.counts.Unlock()
	return s.unseal.attempts
}

// openUnsealSocket replaces a socket left by a process that died: the caller holds the folder's
// lock, so nobody else listens there.
func openUnsealSocket(s *Server) (*unsealSocket, error) {
	rate, err := NewRateLimiter(Rate{PerSecond: 1, Burst: 5, Keys: 1}, s.cfg.Clock)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.cfg.DataDir, UnsealSocket)
	if len(path) > unixPathLimit {
		return nil, fmt.Errorf("server: the path of %s in the data folder is over %d bytes, more than a socket may have", UnsealSocket, unixPathLimit)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("server: unseal socket: %w", err)
	}
	config := net.ListenConfig{Control: privateSocket}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("server: unseal socket: %w", err)
	}
	u := &unsealSocket{server: s, listener: netutil.LimitListener(listener, maxUnsealConnections), rate: rate}
	u.http = &http.Server{
		Handler:           u,
		MaxHeaderBytes:    4 << 10,
		ReadHeaderTimeout: s.cfg.Limits.ReadHeader,
		ReadTimeout:       s.cfg.Limits.Read,
		WriteTimeout:      unsealTime,
		IdleTimeout:       s.cfg.Limits.ReadHeader,
		ErrorLog:          log.New(connectionErrors{s}, "", 0),
	}
	return u, nil
}

func (u *unsealSocket) serve() error { return u.http.Serve(u.listener) }

// ServeHTTP survives panics as the main listener does, by the same function.
func (u *unsealSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &answerWriter{ResponseWriter: w}
	u.server.metrics.inFlight.Inc()
	defer u.server.finish(answer, r, u.server.cfg.Clock.Monotonic())
	u.answer(answer, r)
}

func (u *unsealSocket) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/unseal" || r.Method != http.MethodPost {
		writeProblem(w, http.StatusNotFound, codeNotFound, "this socket answers POST /unseal")
		return
	}
	r.Pattern = "/unseal"
	passphrase, err := readPassphrase(http.MaxBytesReader(w, r.Body, maxUnsealBody))
	defer clear(passphrase)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, codeInvalidRequest, "the body must be {\"passphrase\": …} of at most 8 KiB")
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.server.root.Load() != nil {
		writeProblem(w, http.StatusConflict, codeInvalidState, "the store is unlocked already")
		return
	}
	if retryAfter, allowed := u.rate.Allow(everyone); !allowed {
		u.count(UnsealAttempts{Throttled: 1})
		writeTooMany(w, "too many attempts to unseal", retryAfter)
		return
	}
	u.try(w, r, passphrase)
}

func (u *unsealSocket) try(w http.ResponseWriter, r *http.Request, passphrase []byte) {
	u.count(UnsealAttempts{Tried: 1})
	err := u.server.cfg.Unseal(r.Context(), passphrase)
	switch {
	case err == nil:
		u.server.cfg.Log.Info("unsealed")
		writeJSON(w, "application/json", http.StatusOK, struct {
			Unsealed bool `json:"unsealed"`
		}{true})
	case errors.Is(err, ErrUnsealRefused):
		u.count(UnsealAttempts{Refused: 1})
		u.server.cfg.Log.Warn("an attempt to unseal was refused")
		writeProblem(w, http.StatusForbidden, codeAccessDenied, ErrUnsealRefused.Error())
	case errors.Is(err, ErrUnsealImpossible):
		u.server.cfg.Log.Warn("an attempt to unseal that could not succeed", slog.Any("error", err))
		writeProblem(w, http.StatusConflict, codeInvalidState, err.Error())
	default:
		u.server.cfg.Log.Error("unsealing failed", slog.Any("error", err))
		writeProblem(w, http.StatusInternalServerError, codeInternal, "unsealing failed; the server's log has the reason")
	}
}

func (u *unsealSocket) count(a UnsealAttempts) {
	u.counts.Lock()
	defer u.counts.Unlock()
	u.attempts.Tried += a.Tried
	u.attempts.Refused += a.Refused
	u.attempts.Throttled += a.Throttled
	m := u.server.metrics
	m.unsealAttempts.Add(float64(a.Tried))
	m.unsealRefused.Add(float64(a.Refused))
	m.unsealThrottled.Add(float64(a.Throttled))
}

// readPassphrase decodes the body, strictly, into bytes that can be wiped: never into a string.
func readPassphrase(body io.Reader) ([]byte, error) {
	// Room for the whole body at once: growing would leave copies behind.
	buffer := make([]byte, maxUnsealBody+1)
	defer clear(buffer)
	n, err := io.ReadFull(body, buffer)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("no body, or one over the limit")
	}
	var request struct {
		Passphrase jsontext.Value `json:"passphrase"`
	}
	if err := json.Unmarshal(buffer[:n], &request, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("not the expected JSON") // the decoder's error may quote the input
	}
	defer clear(request.Passphrase)
	if request.Passphrase.Kind() != '"' {
		return nil, errors.New("the passphrase is not a string")
	}
	passphrase, err := jsontext.AppendUnquote(make([]byte, 0, len(request.Passphrase)), request.Passphrase)
	if err != nil || len(passphrase) == 0 {
		clear(passphrase)
		return nil, errors.New("the passphrase is empty or not valid")
	}
	return passphrase, nil
}
