package sigv4

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/haven-health/haven/internal/secret"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeForm   = "20060102T150405Z"
)

// Parse reads what a request claims. It returns [ErrMissing] when the request is not signed in this
// way at all, so that another may be tried, and [ErrIncomplete], [ErrRefused] or [ErrScope] when it
// can never be verified, whatever the key.
func Parse(r Request) (Signed, error) {
	fields, err := readFields(r)
	if err != nil {
		return Signed{}, err
	}
	line, err := readTarget(r)
	if err != nil {
		return Signed{}, err
	}
	s, err := readAuthorization(fields["authorization"], line.presigned)
	if err != nil {
		return Signed{}, err
	}
	if err := s.readTime(fields["x-amz-date"]); err != nil {
		return Signed{}, err
	}
	if err := s.checkCovered(fields); err != nil {
		return Signed{}, err
	}
	if err := s.readPayload(fields); err != nil {
		return Signed{}, err
	}
	if token := fields["x-amz-security-token"]; len(token) == 1 {
		s.SecurityToken = secret.New([]byte(token[0]))
	}
	if err := s.makeForms(r.Method, line, fields); err != nil {
		return Signed{}, err
	}
	return s, nil
}

// readFields returns the header by names in lower case, with the host as one of them. A name that
// comes in two spellings has the values of both, and so more than one.
func readFields(r Request) (map[string][]string, error) {
	if len(r.Header) > MaxFields {
		return nil, broken(ErrRefused, "too many headers")
	}
	fields := make(map[string][]string, len(r.Header)+1)
	fields["host"] = []string{r.Host}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if before := fields[name]; before != nil {
			values = append(slices.Clip(before), values...)
		}
		fields[name] = values
	}
	if host := fields["host"]; len(host) != 1 || len(r.Host) == 0 || len(r.Host) > MaxHost {
		return nil, broken(ErrRefused, "there is to be one host")
	}
	return fields, nil
}

// readAuthorization reads the one Authorization header of a request.
func readAuthorization(values []string, presigned bool) (Signed, error) {
	switch {
	case presigned:
		return Signed{}, broken(ErrRefused, "signatures in the query are not accepted")
	case len(values) == 0:
		return Signed{}, ErrMissing
	case len(values) > 1:
		return Signed{}, broken(ErrRefused, "more than one Authorization header")
	case !strings.HasPrefix(values[0], "AWS4-"):
		return Signed{}, ErrMissing
	case len(values[0]) > MaxAuthorization:
		return Signed{}, broken(ErrIncomplete, "the Authorization header is too long")
	}
	rest, ok := strings.CutPrefix(values[0], algorithm+" ")
	if !ok {
		return Signed{}, broken(ErrIncomplete, "the algorithm is to be "+algorithm)
	}
	var credential, headers, signature string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		var to *string
		switch name {
		case "Credential":
			to = &credential
		case "SignedHeaders":
			to = &headers
		case "Signature":
			to = &signature
		}
		if to == nil || *to != "" || value == "" {
			return Signed{}, broken(ErrIncomplete, "an unknown, repeated or empty parameter in the Authorization header")
		}
		*to = value
	}
	return readParameters(credential, headers, signature)
}

func readParameters(credential, headers, signature string) (s Signed, err error) {
	switch {
	case credential == "":
		return s, broken(ErrIncomplete, "the Authorization header requires the parameter Credential")
	case headers == "":
		return s, broken(ErrIncomplete, "the Authorization header requires the parameter SignedHeaders")
	case signature == "":
		return s, broken(ErrIncomplete, "the Authorization header requires the parameter Signature")
	}
	if s.AccessKeyID, s.Scope, err = readCredential(credential); err != nil {
		return s, err
	}
	if s.SignedHeaders, err = readSignedHeaders(headers); err != nil {
		return s, err
	}
	if !isDigest(signature) {
		return s, broken(ErrIncomplete, "Signature is to be 64 hexadecimal digits in lower case")
	}
	b, err := hex.DecodeString(signature)
	s.Signature = secret.New(b)
	return s, err
}

// readCredential reads ID/date/region/service/aws4_request.
func readCredential(credential string) (id string, scope Scope, err error) {
	parts := strings.SplitN(credential, "/", 6)
	if len(parts) != 5 || parts[4] != terminator {
		return "", Scope{}, broken(ErrIncomplete, "Credential is to be ID/YYYYMMDD/REGION/SERVICE/"+terminator)
	}
	id, scope = parts[0], Scope{Date: parts[1], Region: parts[2], Service: parts[3]}
	switch {
	case !of(id, MaxAccessKeyID, isWord):
		return "", Scope{}, broken(ErrIncomplete, "the access key id in Credential")
	case len(scope.Date) != 8 || !of(scope.Date, 8, isDigit):
		return "", Scope{}, broken(ErrIncomplete, "the date in Credential")
	case !of(scope.Region, MaxScopePart, isScope):
		return "", Scope{}, broken(ErrIncomplete, "the region in Credential")
	case !of(scope.Service, MaxScopePart, isScope):
		return "", Scope{}, broken(ErrIncomplete, "the service in Credential")
	}
	return id, scope, nil
}

// readSignedHeaders reads names in lower case, each once and in order, as the rules want them.
func readSignedHeaders(list string) ([]string, error) {
	if strings.Count(list, ";") >= MaxSignedHeaders {
		return nil, broken(ErrIncomplete, "too many SignedHeaders")
	}
	names := strings.Split(list, ";")
	for i, name := range names {
		if !of(name, MaxName, isName) {
			return nil, broken(ErrIncomplete, "a name in SignedHeaders")
		}
		if i > 0 && names[i-1] >= name {
			return nil, broken(ErrIncomplete, "SignedHeaders are to be sorted, each once")
		}
	}
	return names, nil
}

// readTime reads X-Amz-Date. The day of the scope is the day of that time, or a key for one day would
// sign for another.
func (s *Signed) readTime(values []string) error {
	if len(values) != 1 {
		return broken(ErrIncomplete, "there is to be one X-Amz-Date")
	}
	at, err := time.Parse(timeForm, values[0])
	if err != nil || len(values[0]) != len(timeForm) {
		return broken(ErrIncomplete, "X-Amz-Date is to be YYYYMMDDThhmmssZ")
	}
	if s.Time = at; values[0][:8] != s.Scope.Date {
		return broken(ErrScope, "the date in Credential is not that of X-Amz-Date")
	}
	return nil
}

// checkCovered refuses a request that sends unsigned what has a meaning to AWS's services, and one
// that says it has more after its body.
func (s *Signed) checkCovered(fields map[string][]string) error {
	for name := range fields {
		switch {
		case name == "x-amz-trailer":
			return broken(ErrRefused, "trailers are not accepted")
		case name == "host", name == "content-type", strings.HasPrefix(name, "x-amz-"):
			if _, ok := slices.BinarySearch(s.SignedHeaders, name); !ok {
				return broken(ErrRefused, "host, content-type and every x-amz- header are to be signed")
			}
		}
	}
	return nil
}

// readPayload reads the digest of the body that the client gives, if it does: a digest and none of
// the words that stand for a body which is not signed, or signed in pieces.
func (s *Signed) readPayload(fields map[string][]string) error {
	values, ok := fields["x-amz-content-sha256"]
	if !ok {
		return nil
	}
	if len(values) != 1 || !isDigest(values[0]) {
		return broken(ErrRefused, "X-Amz-Content-Sha256 is to be the SHA-256 of the body: other payloads are not accepted")
	}
	s.payload = values[0]
	return nil
}

// of reports whether s is one to limit bytes long and all of a kind.
func of(s string, limit int, kind func(byte) bool) bool {
	if len(s) == 0 || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !kind(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isWord(c byte) bool  { return isDigit(c) || isLower(c) || isUpper(c) || c == '_' }
func isScope(c byte) bool { return isDigit(c) || isLower(c) || c == '-' }
func isName(c byte) bool  { return isScope(c) || c == '_' || c == '.' }

// isDigest reports whether s is a SHA-256 as AWS writes it: one way only.
func isDigest(s string) bool {
	return len(s) == 64 && of(s, 64, func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' })
}
