package native

import (
	"crypto/sha256"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
)

// Problem is how errors are answered: RFC 9457 problem details.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Code is stable; programs decide by it.
	Code string `json:"code"`
	// Detail tells people what happened, to which key, and what to do.
	Detail string `json:"detail,omitzero"`
	// Reason refines invalid_state: the state or mark that forbids it. Of invalid_ciphertext it is
	// incomplete where some version of the key was not asked.
	Reason    string `json:"reason,omitzero"`
	KeyID     string `json:"key_id,omitzero"`
	RequestID string `json:"request_id,omitzero"`
	// DecisionID names the decision of an access_denied, for an administrator to explain.
	DecisionID string `json:"decision_id,omitzero"`
}

// statuses maps the taxonomy to HTTP, once.
var statuses = map[gate.Code]int{
	gate.InvalidRequest:      http.StatusBadRequest,
	gate.Unauthenticated:     http.StatusUnauthorized,
	gate.AccessDenied:        http.StatusForbidden,
	gate.NotFound:            http.StatusNotFound,
	gate.AlreadyExists:       http.StatusConflict,
	gate.Conflict:            http.StatusConflict,
	gate.InvalidState:        http.StatusConflict,
	gate.InvalidCiphertext:   http.StatusBadRequest,
	gate.IncorrectKey:        http.StatusBadRequest,
	gate.Unsupported:         http.StatusBadRequest,
	gate.LimitExceeded:       http.StatusBadRequest,
	gate.TooLarge:            http.StatusRequestEntityTooLarge,
	gate.RateLimited:         http.StatusTooManyRequests,
	gate.IdempotencyMismatch: http.StatusConflict,
	gate.Contended:           http.StatusServiceUnavailable,
	gate.Unavailable:         http.StatusServiceUnavailable,
	gate.NoSpace:             http.StatusServiceUnavailable,
	gate.Locked:              http.StatusServiceUnavailable,
	gate.Internal:            http.StatusInternalServerError,
	gate.Tampered:            http.StatusInternalServerError,
	gate.InvalidKeyUsage:     http.StatusBadRequest,
}

// statusOf returns the HTTP status of a code; what is not known is a fault of ours.
func statusOf(c gate.Code) int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

func problemStatus(w http.ResponseWriter, requestID string, status int, e *gate.Error) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	body, err := json.Marshal(asProblem(requestID, status, e))
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.WriteHeader(status)
	w.Write(body)
}

func asProblem(requestID string, status int, e *gate.Error) Problem {
	p := Problem{
		Title: http.StatusText(status), Status: status, Code: e.Code.String(), Detail: e.Detail,
		Reason: e.Reason, RequestID: requestID,
	}
	if !e.Key.IsZero() {
		p.KeyID = e.Key.String()
	}
	if !e.Decision.IsZero() {
		p.DecisionID = e.Decision.String()
	}
	return p
}

func hashOf(body []byte) [32]byte { return sha256.Sum256(body) }
