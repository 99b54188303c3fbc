package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// ServeHTTP is what stands before every handler: it refuses odd paths, holds back floods, answers
// health, keeps the store's lock, and survives panics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &answerWriter{ResponseWriter: w}
	began := s.cfg.Clock.Monotonic()
	s.metrics.inFlight.Inc()
	defer s.finish(answer, r, began)
	s.route(answer, r)
}

func (s *Server) route(w *answerWriter, r *http.Request) {
	if !plainPath(r.URL) {
		s.metrics.refusedPath.Inc()
		writeProblem(w, http.StatusBadRequest, codeInvalidRequest, "the path of the request is not in plain form")
		return
	}
	switch r.URL.Path {
	case "/healthz":
		s.health(w, r, s.alive)
		return
	case "/readyz":
		s.health(w, r, s.ready)
		return
	}
	root := s.root.Load()
	if root == nil {
		s.metrics.refusedLocked.Inc()
		writeProblem(w, http.StatusServiceUnavailable, codeLocked,
			"the store is locked; an operator unlocks it with `haven unseal` on the server's machine")
		return
	}
	if r.URL.Path == "/metrics" {
		s.health(w, r, s.metrics.handler.ServeHTTP)
		return
	}
	s.guarded(w, r, *root)
}

// guarded calls the root handler for callers who are not being held back, and learns from the
// answer.
func (s *Server) guarded(w *answerWriter, r *http.Request, root http.Handler) {
	// Absent only when the handler is called without a listener of ours.
	caller, _ := r.Context().Value(connectionKey{}).(*connection)
	if caller != nil {
		if retryAfter, refused := s.flood.refused(caller); refused {
			s.metrics.refusedFlood.Inc()
			w.Header().Set("Connection", "close")
			writeTooMany(w, "too many failed authentications", retryAfter)
			return
		}
	}
	defer s.drain(w, r, r.Body)
	if r.ContentLength > s.cfg.Limits.BodyBytes {
		s.metrics.refusedBody.Inc()
		writeProblem(w, http.StatusRequestEntityTooLarge, codeTooLarge, "the body is over the server's limit")
		return
	}
	if r.ContentLength < 0 {
		r.Body = http.MaxBytesReader(w.ResponseWriter, r.Body, s.cfg.Limits.BodyBytes)
	}
	root.ServeHTTP(w, r)
	if caller == nil {
		return
	}
	switch {
	case w.status == http.StatusUnauthorized:
		s.metrics.failedProofs.Inc()
		s.flood.failed(caller)
	case w.status < 300 && r.Header.Get("Authorization") != "":
		caller.proven.Store(true)
	}
}

// drain takes in what is left of a body that was refused as too large, up to twice what is allowed
// of one and within the time to read a request. The answer has left then; but many clients read it
// only after they have sent everything, and to close the connection on what they send would take
// the answer away from them. In HTTP/2 the stream ends without that.
func (s *Server) drain(w *answerWriter, r *http.Request, body io.Reader) {
	if w.status != http.StatusRequestEntityTooLarge || r.ProtoMajor != 1 {
		return
	}
	if http.NewResponseController(w).Flush() == nil {
		_, _ = io.CopyN(io.Discard, body, 2*s.cfg.Limits.BodyBytes) // who left wants no answer
	}
}

// finish ends a request: a panic becomes a 500 for this caller alone, or, when the answer has
// begun, a broken connection, since half an answer must not look whole.
func (s *Server) finish(w *answerWriter, r *http.Request, began time.Duration) {
	thrown := recover()
	s.metrics.inFlight.Dec()
	if thrown != nil && thrown != http.ErrAbortHandler {
		s.metrics.panics.Inc()
		// The value and the arguments on the stack may hold what a caller sent, or a key.
		s.cfg.Log.Error("a handler panicked", slog.String("type", fmt.Sprintf("%T", thrown)),
			slog.String("stack", callers()), slog.String("request_id", w.Header().Get(requestIDHeader)))
		if w.status == 0 {
			dropAnswer(w.Header())
			writeProblem(w, http.StatusInternalServerError, codeInternal, "Haven failed; its log has the reason")
			thrown = nil
		}
	}
	if thrown == nil && w.status == 0 {
		w.status = http.StatusOK // net/http sends it for a handler that wrote nothing
	}
	took := s.cfg.Clock.Monotonic() - began
	s.metrics.answered(w.status, took)
	if s.cfg.AccessLog {
		s.logAccess(w, r, took)
	}
	if thrown != nil {
		panic(http.ErrAbortHandler)
	}
}

// requestIDHeader is set by the API on each answer.
const requestIDHeader = "Haven-Request-Id"

// dropAnswer removes what the handler had prepared, all but the request id.
func dropAnswer(header http.Header) {
	for name := range header {
		if name != requestIDHeader {
			header.Del(name)
		}
	}
}

// logAccess writes the access record. The route is the pattern that matched, a constant of the
// handler's, never the path that was sent.
func (s *Server) logAccess(w *answerWriter, r *http.Request, took time.Duration) {
	route := r.Pattern
	if route == "" {
		route = "none"
	}
	s.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("method", knownMethod(r.Method)), slog.String("route", route), slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes), slog.Duration("duration", took), slog.String("remote", r.RemoteAddr),
		slog.String("request_id", w.Header().Get(requestIDHeader)))
}

// knownMethod keeps an invented method, which is text of the caller's choice, out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete,
		http.MethodPatch, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "other"
}

// callers names the functions and lines above a panic, without their arguments.
func callers() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var out strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&out, "%s:%d ", frame.Function, frame.Line)
		if !more {
			return strings.TrimSpace(out.String())
		}
	}
}

// answerWriter notes what was answered.
type answerWriter struct {
	http.ResponseWriter
	status int // 0 until the final status was written
	bytes  int64
}

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	if status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // what is left of the body would be the next request
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(data)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection's own writer.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
