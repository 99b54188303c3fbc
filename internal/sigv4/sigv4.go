// Package sigv4 verifies requests that are signed by AWS Signature Version 4 in the Authorization
// header, as the AWS SDKs sign for KMS, Secrets Manager and STS, and signs so for our own client.
//
// A request goes two steps: [Parse] reads what it claims, whose key signed it and for what, and
// refuses what cannot be verified; [Signed.Verify] holds the claims to the signature. Until Verify
// returned nil, nothing in a [Signed] is true but that somebody wrote it.
//
// It guarantees:
//
//   - The canonical request is made from the request itself; nothing that the client says about it
//     (its digest above all) takes the place of the thing. It is injective up to what the rules call
//     the same (see below): no byte of a method, path, name or value can be read as a separator.
//   - Signed are: method, path, query, body, the host, the time, the content type if there is one,
//     and every header named x-amz-…: the target and the session token are among them. A request
//     that sends one of these unsigned is refused, and so is one that sends any signed header, or
//     a query parameter, twice, also if the names differ in case.
//   - What is not verified is refused, not ignored: signatures in the query (presigned), unsigned
//     and streamed payloads, trailers, other algorithms.
//   - Every length has a limit that stands before it is believed, and comparing signatures takes
//     the same time whatever they are.
//   - An error names a rule and never a value that was sent; a Signed or a [Key] that is printed
//     shows neither signature, session token nor key.
//
// It never opens, stores or remembers anything, reads no clock, and knows no access keys: looking one
// up, refusing an unknown one in the same time (by verifying with a key drawn at start), and telling
// a request from its repetition (by [Signed.Signature]) are its caller's. It says nothing of headers
// that were not signed: whoever gives one a meaning looks into [Signed.SignedHeaders] first. It does
// not route: whoever does takes the path as the rules do, or refuses one that is not normal.
//
// Two requests are the same to the rules, and have one signature, when they differ only in unsigned
// headers; in the order or case of header names; in the number of blanks in, before and after a
// header's value; in the order of query parameters, in "a" for "a=", or in how a character of the
// query is written (%7e, %7E, ~); and in "//", "/./" and "/x/.." in the path where the path that was
// signed has none of these. Signers for AWS take them out before they sign. Go's SDK for one does not,
// and a path signed with them is accepted byte for byte and in no other form.
//
// The rules: "AWS Signature Version 4 for API requests", AWS Identity and Access Management User
// Guide. The service is never S3, whose paths are encoded once and not twice.
package sigv4

import (
	"errors"
	"fmt"
	"time"

	"github.com/haven-health/haven/internal/secret"
)

// Why a request is refused. Errors of this package are one of these, with the rule that was broken,
// and no value of the request. The names that AWS gives them are in parentheses.
var (
	// ErrMissing: there is no signature of this kind, in the header or the query
	// (MissingAuthenticationToken).
	ErrMissing = errors.New("sigv4: no signature")
	// ErrIncomplete: the Authorization header or the time is not of the form the rules give
	// (IncompleteSignature).
	ErrIncomplete = errors.New("sigv4: incomplete signature")
	// ErrRefused: well-formed, perhaps, and in a form that is not verified here, or that could be
	// read in two ways (InvalidSignatureException).
	ErrRefused = errors.New("sigv4: form of request not accepted")
	// ErrScope: the credential is for another day than the time that was signed, or for another
	// day, region or service than the key it is verified with (InvalidSignatureException).
	ErrScope = errors.New("sigv4: credential of another scope")
	// ErrExpired: signed more than [Skew] before now (InvalidSignatureException, "Signature
	// expired").
	ErrExpired = errors.New("sigv4: signature expired")
	// ErrEarly: signed more than [Skew] after now (InvalidSignatureException, "Signature not yet
	// current").
	ErrEarly = errors.New("sigv4: signature not yet current")
	// ErrMismatch: the signature is not this key's over this request (InvalidSignatureException).
	ErrMismatch = errors.New("sigv4: signature does not match")
)

// broken is an error of a kind for a rule.
func broken(kind error, rule string) error { return fmt.Errorf("%w: %s", kind, rule) }

// Skew is how far the time that was signed may be from now, in both directions, itself included.
// It is AWS's.
const Skew = 5 * time.Minute

// Limits. Lengths are in bytes.
const (
	MaxMethod        = 16
	MaxTarget        = 8192
	MaxHost          = 255
	MaxFields        = 128  // header names in a request, signed or not
	MaxName          = 128  // of a signed header
	MaxValue         = 8192 // of a signed header; a session token is the longest
	MaxSignedHeaders = 64
	MaxParameters    = 64 // in a query
	MaxAuthorization = 8192
	MaxAccessKeyID   = 128
	MaxScopePart     = 64 // of a region or a service
	MinSecret        = 16 // FIPS 140-3 wants 14
	MaxSecret        = 128
)

// Request is what is signed of an HTTP request, but for its body.
type Request struct {
	Method string
	Target string              // as it was sent: the RequestURI of an http.Request
	Host   string              // as it was sent, with its port: the Host of an http.Request
	Header map[string][]string // the Header of an http.Request, as the server read it
}

// Scope is what a signing key is for.
type Scope struct {
	Date    string // a day in UTC, YYYYMMDD
	Region  string
	Service string
}

// Signed is what a request claims. Only [Parse] makes one that can be verified. It keeps nothing of
// the [Request] it was made from: what was changed there afterwards is not what is verified.
type Signed struct {
	AccessKeyID string
	// Scope is what the client chose. The caller compares region and service with its own.
	Scope Scope
	// Time is when it was signed, in UTC, to the second.
	Time time.Time
	// SignedHeaders are the headers that the signature covers, in lower case, sorted.
	SignedHeaders []string
	// SecurityToken is the session token; empty if there is none.
	SecurityToken secret.Bytes
	// Signature is 32 bytes. A request that is repeated as it was has the same, and two requests
	// that were verified have different ones unless the rules call them the same.
	Signature secret.Bytes

	payload string // the digest of the body as the client gives it, in hex; "" if it does not
	// The canonical request up to the digest of the body; two where it is not known whether the
	// signer normalised the path. Secret because session tokens are in it.
	forms []secret.Bytes
}
