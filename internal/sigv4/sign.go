package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/haven-health/haven/internal/secret"
)

// TimeHeader is the name of the header that a signed request has the time of its signature in.
const TimeHeader = "X-Amz-Date"

// FormatTime writes a time as X-Amz-Date has it.
func FormatTime(at time.Time) string { return at.UTC().Format(timeForm) }

// Sign returns the Authorization header that makes a request one of an access key's. All headers
// given are signed, the host too, and X-Amz-Date must be among them, of the day of the key's scope. A
// request that [Parse] would refuse is not signed.
func Sign(r Request, body []byte, id string, key Key) (string, error) {
	fields, err := readFields(r)
	if err != nil {
		return "", err
	}
	s := Signed{AccessKeyID: id, Scope: key.scope}
	for name := range fields {
		s.SignedHeaders = append(s.SignedHeaders, name)
	}
	slices.Sort(s.SignedHeaders)
	line, err := readTarget(r)
	if err != nil {
		return "", err
	}
	if err := s.readTime(fields["x-amz-date"]); err != nil {
		return "", err
	}
	if err := s.makeForms(r.Method, target{paths: line.paths[:1], query: line.query}, fields); err != nil {
		return "", err
	}
	digest := sha256.Sum256(body)
	signature := s.signature(key, secret.Expose(s.forms[0]), hex.AppendEncode(nil, digest[:]))
	return algorithm + " Credential=" + strings.Join([]string{id, s.Scope.Date, s.Scope.Region, s.Scope.Service, terminator}, "/") +
		", SignedHeaders=" + strings.Join(s.SignedHeaders, ";") + ", Signature=" + hex.EncodeToString(signature), nil
}
