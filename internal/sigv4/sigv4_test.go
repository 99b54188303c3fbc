package sigv4_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// message is a request as it is on the wire.
type message struct {
	method, target string
	fields         []field
	body           string
}

// field is a line of a header, its name as it was written.
type field struct{ name, value string }

func (m message) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", m.method, m.target)
	for _, f := range m.fields {
		fmt.Fprintf(&b, "%s:%s\n", f.name, f.value)
	}
	return b.String() + "\n" + m.body
}

// request gives the names as they were written, where net/http would bring most into one spelling:
// a verifier must not rest on that.
func (m message) request() sigv4.Request {
	r := sigv4.Request{Method: m.method, Target: m.target, Header: map[string][]string{}}
	for _, f := range m.fields {
		if f.name == "Host" && r.Host == "" {
			r.Host = f.value
			continue
		}
		r.Header[f.name] = append(r.Header[f.name], f.value)
	}
	return r
}

// value returns the value of a field, and where it is; the test fails if there is none.
func (m message) value(t testing.TB, name string) (string, int) {
	t.Helper()
	for i, f := range m.fields {
		if strings.EqualFold(f.name, name) {
			return f.value, i
		}
	}
	t.Fatalf("no %s in %s", name, m)
	return "", 0
}

// with returns the message with the field at i replaced by others.
func (m message) with(i int, fields ...field) message {
	m.fields = append(append(append([]field(nil), m.fields[:i]...), fields...), m.fields[i+1:]...)
	return m
}

// add returns the message with one more field.
func (m message) add(name, value string) message {
	m.fields = append(append([]field(nil), m.fields...), field{name, value})
	return m
}

// credential is an access key of the tests.
type credential struct{ id, secret string }

var published = credential{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

// stranger is the secret that unknown access keys are verified with.
const stranger = "a secret access key that nobody has"

func derive(t testing.TB, access string, scope sigv4.Scope) sigv4.Key {
	t.Helper()
	key, err := sigv4.Derive(secret.New([]byte(access)), scope)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// verify does what a server does, and leaves out all that could refuse a request before its
// signature does: it takes the scope and the time that the request claims.
func (c credential) verify(t testing.TB, m message) error {
	t.Helper()
	s, err := sigv4.Parse(m.request())
	if err != nil {
		return err
	}
	access := c.secret
	if s.AccessKeyID != c.id {
		access = stranger
	}
	return s.Verify(derive(t, access, s.Scope), []byte(m.body), s.Time)
}

// signedAt is when the requests of the tests were signed.
var signedAt = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
