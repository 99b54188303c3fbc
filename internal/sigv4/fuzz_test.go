package sigv4_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// format writes an Authorization header from what was read of one.
func format(s sigv4.Signed) string {
	return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%x",
		s.AccessKeyID, s.Scope.Date, s.Scope.Region, s.Scope.Service, strings.Join(s.SignedHeaders, ";"), secret.Expose(s.Signature))
}

// sameClaims reports whether two requests claim the same.
func sameClaims(a, b sigv4.Signed) bool {
	return a.AccessKeyID == b.AccessKeyID && a.Scope == b.Scope && a.Time.Equal(b.Time) &&
		slices.Equal(a.SignedHeaders, b.SignedHeaders) && a.Signature.Equal(b.Signature) && a.SecurityToken.Equal(b.SecurityToken)
}

// FuzzParse: what is read of a request, written again, is read as the same; X-Amz-Date too is the one
// way to write the time that was read; and no request is accepted that was not signed with the secret
// it is verified with, which here is none.
func FuzzParse(f *testing.F) {
	for _, m := range []message{decrypt(f), decrypt(f).onto("/v1/a/../b//c?Param=1&%41=~&b")} {
		var lines []string
		for _, field := range m.fields[1:] {
			lines = append(lines, field.name+":"+field.value)
		}
		f.Add(m.method, m.target, m.fields[0].value, strings.Join(lines, "\n"), m.body)
		f.Add(m.method, m.target, m.fields[0].value, strings.ReplaceAll(strings.Join(lines, "\n"), ", ", ",  "), "")
	}
	f.Fuzz(func(t *testing.T, method, target, host, header, body string) {
		m := message{method: method, target: target, fields: []field{{"Host", host}}, body: body}
		for line := range strings.SplitSeq(header, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				m.fields = append(m.fields, field{name, value})
			}
		}
		s, err := sigv4.Parse(m.request())
		if err != nil {
			return
		}
		if date, _ := m.value(t, "X-Amz-Date"); s.Time.Format("20060102T150405Z") != date || !strings.HasPrefix(date, s.Scope.Date) {
			t.Errorf("%q is read as %v, of %s", date, s.Time, s.Scope.Date)
		}
		again, err := sigv4.Parse(m.change(t, "Authorization", format(s)).request())
		if err != nil || !sameClaims(s, again) {
			t.Errorf("read as %v, and again as %v: %v", s, again, err)
		}
		if err := s.Verify(derive(t, stranger, s.Scope), []byte(body), s.Time); err == nil {
			t.Error("accepted, though nobody signed it")
		}
	})
}
