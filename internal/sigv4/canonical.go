package sigv4

import (
	"path"
	"slices"
	"strings"

	"github.com/haven-health/haven/internal/secret"
)

// target is the request target in the forms that are signed.
type target struct {
	paths     []string // encoded: as it was sent and, if that differs, normalised
	query     string
	presigned bool // parameters of a signature are in the query
}

// readTarget reads the path and the query of a request. It refuses targets other than those of the
// origin form, /path?query: in the others there is a second host.
func readTarget(r Request) (target, error) {
	if !of(r.Method, MaxMethod, isUpper) {
		return target{}, broken(ErrRefused, "the method")
	}
	if !strings.HasPrefix(r.Target, "/") || len(r.Target) > MaxTarget || strings.ContainsFunc(r.Target, isControl) || strings.Contains(r.Target, "#") {
		return target{}, broken(ErrRefused, "the path")
	}
	plain, raw, _ := strings.Cut(r.Target, "?")
	t := target{paths: []string{encode(plain, true)}}
	if normal := normalise(plain); normal != plain {
		t.paths = append(t.paths, encode(normal, true))
	}
	return t, t.readQuery(raw)
}

// normalise takes ".", ".." and empty segments out of a path. That it ends in a slash is kept.
func normalise(p string) string {
	normal := path.Clean(p)
	if strings.HasSuffix(p, "/") && normal != "/" {
		normal += "/"
	}
	return normal
}

// readQuery makes the canonical query. A parameter without a name, and "+" and ";", are read in more
// than one way by those who read queries, and so are refused; "%2B" and "%3B" are not.
func (t *target) readQuery(raw string) error {
	if raw == "" {
		return nil
	}
	if strings.Count(raw, "&") >= MaxParameters {
		return broken(ErrRefused, "too many parameters in the query")
	}
	type parameter struct{ name, value string }
	var parameters []parameter
	seen := map[string]bool{}
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		plainName, okName := decode(name)
		plainValue, okValue := decode(value)
		if !okName || !okValue || plainName == "" {
			return broken(ErrRefused, "a parameter in the query")
		}
		folded := strings.ToLower(plainName)
		if seen[folded] {
			return broken(ErrRefused, "a parameter twice in the query")
		}
		seen[folded] = true
		t.presigned = t.presigned || strings.HasPrefix(folded, "x-amz-")
		parameters = append(parameters, parameter{encode(plainName, false), encode(plainValue, false)})
	}
	slices.SortFunc(parameters, func(a, b parameter) int { return strings.Compare(a.name, b.name) })
	var query strings.Builder
	for i, p := range parameters {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(p.name)
		query.WriteByte('=')
		query.WriteString(p.value)
	}
	t.query = query.String()
	return nil
}

const upperHex = "0123456789ABCDEF"

// encode writes every byte as %XX but the unreserved ones of RFC 3986 and, if wanted, the slash.
func encode(s string, slash bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case isWord(c), c == '-', c == '.', c == '~', c == '/' && slash:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// decode reads %XX. It refuses what the rules leave open.
func decode(s string) (string, bool) {
	if strings.ContainsAny(s, "+; ") {
		return "", false
	}
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", false
			}
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high > 15 || low > 15 {
				return "", false
			}
			c = high<<4 | low
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// hexDigit returns the value of a hexadecimal digit; 255 of anything else.
func hexDigit(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// makeForms writes the canonical request up to the digest of the body, once for each form that the
// path may have been signed in. One that was not normalised cannot be taken for one that was: of
// both forms only the first can have "//" or "/../" in it.
func (s *Signed) makeForms(method string, t target, fields map[string][]string) error {
	b := make([]byte, 0, 1024)
	b = append(b, t.query...)
	b = append(b, '\n')
	for _, name := range s.SignedHeaders {
		values := fields[name]
		if len(values) != 1 {
			return broken(ErrRefused, "each of the SignedHeaders is to be there once")
		}
		if len(values[0]) > MaxValue || strings.ContainsFunc(values[0], isControl) {
			return broken(ErrRefused, "the value of a signed header")
		}
		b = append(b, name...)
		b = append(b, ':')
		b = appendFolded(b, values[0])
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range s.SignedHeaders {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	for _, p := range t.paths {
		form := make([]byte, 0, len(method)+len(p)+len(b)+2)
		form = append(form, method...)
		form = append(form, '\n')
		form = append(form, p...)
		form = append(form, '\n')
		s.forms = append(s.forms, secret.New(append(form, b...)))
	}
	clear(b)
	return nil
}

// appendFolded appends a value without blanks at its ends, and with one where there are several.
func appendFolded(b []byte, value string) []byte {
	value = strings.Trim(value, " ")
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' {
			b = append(b, value[i])
		}
	}
	return b
}

// isControl finds what would end a line, and tabs, which some signers take for blanks and some do
// not.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }
