package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// Codes of the problem documents the server itself answers with. They are those of the native
// API, where every code is described.
const (
	codeInvalidRequest = "invalid_request"
	codeNotFound       = "not_found"
	codeAccessDenied   = "access_denied"
	codeInvalidState   = "invalid_state"
	codeTooLarge       = "too_large"
	codeRateLimited    = "rate_limited"
	codeLocked         = "locked"
	codeInternal       = "internal"
)

// problem is an RFC 9457 problem document. Its texts are constants: nothing a caller sent comes
// back in it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	writeJSON(w, "application/problem+json", status, problem{http.StatusText(status), status, code, detail})
}

// writeTooMany answers 429 with the whole seconds to wait.
func writeTooMany(w http.ResponseWriter, detail string, retryAfter time.Duration) {
	seconds := int64((retryAfter + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.FormatInt(max(1, seconds), 10))
	writeProblem(w, http.StatusTooManyRequests, codeRateLimited, detail)
}

func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		// Unreachable: bodies are structs of strings, numbers and booleans of ours.
		panic("server: encoding an answer: " + err.Error())
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(encoded)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(encoded) // a caller who left does not get an answer
}
