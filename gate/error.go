package gate

import (
	"errors"
	"fmt"
)

// Code is the one taxonomy of what can go wrong, for every surface. Its names are stable and
// appear in answers; its numbers are stable and stand in records. Each boundary maps it once:
// HTTP status in api/native, exit code in cmd/haven.
type Code uint16

// The codes. Numbers are never given another meaning.
const (
	InvalidRequest      Code = 1  // the request cannot be understood or breaks a limit
	Unauthenticated     Code = 2  // nobody was proven
	AccessDenied        Code = 3  // proven, without the right
	NotFound            Code = 4  // no such thing in the caller's own account
	AlreadyExists       Code = 5  // the name is taken
	Conflict            Code = 6  // the thing is not as the caller said it was
	InvalidState        Code = 7  // the key's or version's state does not allow it
	InvalidCiphertext   Code = 8  // it does not decrypt; nothing more is told
	IncorrectKey        Code = 9  // the ciphertext belongs to another key than named
	Unsupported         Code = 10 // this key, or this build, cannot do it
	LimitExceeded       Code = 11 // more than is allowed of it
	TooLarge            Code = 12 // the body is over the operation's limit
	RateLimited         Code = 13 // too many calls by this principal
	IdempotencyMismatch Code = 14 // the idempotency key was used for another request
	Contended           Code = 15 // what the operation used changed twice under it: try again
	Unavailable         Code = 16 // the store did not answer; nothing was done, or see the record
	NoSpace             Code = 17 // the disk is nearly full; only restricting operations are accepted
	Locked              Code = 18 // the store has not been unlocked yet
	Internal            Code = 19 // ours to mend; the log has the reason under the request id
	Tampered            Code = 20 // what is stored is not what Haven wrote: refused, loudly
	InvalidKeyUsage     Code = 21 // keys of this spec and usage do not do that, or not by that algorithm
)

var codeNames = [...]string{
	InvalidRequest: "invalid_request", Unauthenticated: "unauthenticated", AccessDenied: "access_denied",
	NotFound: "not_found", AlreadyExists: "already_exists", Conflict: "conflict",
	InvalidState: "invalid_state", InvalidCiphertext: "invalid_ciphertext",
	IncorrectKey: "incorrect_key", Unsupported: "unsupported", LimitExceeded: "limit_exceeded",
	TooLarge: "too_large", RateLimited: "rate_limited", IdempotencyMismatch: "idempotency_mismatch",
	Contended: "contended", Unavailable: "unavailable", NoSpace: "no_space", Locked: "locked",
	Internal: "internal", Tampered: "tampered", InvalidKeyUsage: "invalid_key_usage",
}

// Codes returns every code, ascending.
func Codes() []Code {
	out := make([]Code, 0, len(codeNames)-1)
	for c := range codeNames {
		if codeNames[c] != "" {
			out = append(out, Code(c))
		}
	}
	return out
}

// String returns the code's stable name.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return fmt.Sprintf("code_%d", uint16(c))
}

// Error implements error, so that errors.Is(err, gate.NotFound) asks for a code.
func (c Code) Error() string { return c.String() }

// Error is a refusal or failure as its user reads it: what happened, to which key, what to do.
// Detail never holds a secret, a path, or a value the caller sent but for a key's id or alias, whose
// alphabet was checked.
type Error struct {
	Code   Code
	Detail string
	// Reason refines InvalidState: the state or mark that forbids it ("disabled", "compromised"); and
	// InvalidCiphertext: "incomplete" where some version was not asked, which Detail names.
	Reason string
	// Key is the key it happened to, where there is one.
	Key ID
	// Decision names the authorization decision of an AccessDenied, for explain-access.
	Decision ID
	// cause is for the log alone.
	cause error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Detail
}

// Unwrap makes the code matchable by errors.Is.
func (e *Error) Unwrap() error { return e.Code }

// Cause is the reason for the log; it never reaches an answer.
func (e *Error) Cause() error { return e.cause }

// Errorf makes an Error. The text is shown to the caller: no values, no secrets.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// asError maps any error to one of the taxonomy: what is not known is Internal and opaque.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var c Code
	if errors.As(err, &c) {
		return &Error{Code: c, cause: err}
	}
	if mapped := storeError(err); mapped != nil {
		return mapped
	}
	return &Error{Code: Internal, Detail: "Haven failed; the request id leads to the reason in its log", cause: err}
}
