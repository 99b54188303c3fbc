package client

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Code is the stable name of what went wrong. It is an error, so that
// errors.Is(err, client.NotFound) asks for it.
type Code string

// The codes a server answers with.
const (
	InvalidRequest      Code = "invalid_request"      // the request cannot be understood or breaks a limit
	Unauthenticated     Code = "unauthenticated"      // the token proves nobody
	AccessDenied        Code = "access_denied"        // proven, without the right
	NotFound            Code = "not_found"            // no such thing in the caller's own account
	AlreadyExists       Code = "already_exists"       // the name is taken
	Conflict            Code = "conflict"             // the thing is not as the caller said it was
	InvalidState        Code = "invalid_state"        // the key's or version's state does not allow it
	InvalidCiphertext   Code = "invalid_ciphertext"   // it does not decrypt; nothing more is told
	IncorrectKey        Code = "incorrect_key"        // the ciphertext belongs to another key than named
	Unsupported         Code = "unsupported"          // this key, or this server, cannot do it
	LimitExceeded       Code = "limit_exceeded"       // more than is allowed of it
	TooLarge            Code = "too_large"            // the body is over the operation's limit
	RateLimited         Code = "rate_limited"         // too many calls; see RetryAfter
	IdempotencyMismatch Code = "idempotency_mismatch" // the idempotency key was used for another request
	Contended           Code = "contended"            // what was used changed twice meanwhile: try again
	Unavailable         Code = "unavailable"          // the store did not answer
	NoSpace             Code = "no_space"             // the server's disk is nearly full
	Locked              Code = "locked"               // the store has not been unlocked yet
	Internal            Code = "internal"             // a defect; the server's log has it under the request id
	Tampered            Code = "tampered"             // what is stored is not what Haven wrote
	InvalidKeyUsage     Code = "invalid_key_usage"    // keys of this kind do not do that, or not by that algorithm
)

// UnexpectedAnswer is this package's own: what answered does not speak Haven's API, or sent more
// than it may.
const UnexpectedAnswer Code = "unexpected_answer"

// Error implements error.
func (c Code) Error() string { return string(c) }

// Error is a refusal or failure that a server answered with. A call that got no answer returns
// the transport's error instead.
type Error struct {
	// Operation is what was called, such as "encrypt".
	Operation string
	// Code is stable; codes of newer servers may be unknown here.
	Code Code
	// Detail says what to do, for people.
	Detail string
	// RequestID names the call in the server's records and log.
	RequestID string
	// DecisionID names the decision of an AccessDenied, for explain-access.
	DecisionID string
	// Status is the HTTP status; 0 in an item of a batch.
	Status int
	// RetryAfter is how long the server asked to wait; 0 when it did not.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s", e.Operation, e.Code)
	if e.Detail != "" {
		out.WriteString(": " + e.Detail)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&out, " (request %s)", e.RequestID)
	}
	return out.String()
}

// Unwrap makes the code matchable by errors.Is.
func (e *Error) Unwrap() error { return e.Code }

// problem is the server's problem document (RFC 9457), and an error of a batch item.
type problem struct {
	Code       Code   `json:"code"`
	Detail     string `json:"detail"`
	RequestID  string `json:"request_id"`
	DecisionID string `json:"decision_id"`
}

// readError makes an Error of an answer other than 200. What is no problem document, as from a
// proxy between, is told by its status and never quoted.
func readError(operation string, answer *http.Response, body []byte) *Error {
	e := &Error{Operation: operation, Status: answer.StatusCode, RequestID: answer.Header.Get("Haven-Request-Id")}
	e.RetryAfter = retryAfter(answer.Header)
	var p problem
	contentType, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if contentType != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Code == "" {
		e.Code = UnexpectedAnswer
		e.Detail = fmt.Sprintf("status %d without a problem document; is this endpoint a Haven server?", answer.StatusCode)
		return e
	}
	e.Code, e.Detail, e.DecisionID = p.Code, p.Detail, p.DecisionID
	e.RequestID = cmp.Or(p.RequestID, e.RequestID)
	return e
}
