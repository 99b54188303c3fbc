package native

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/haven-health/haven/gate"
)

// scanner reads JSON strictly for the few hot operations, without reflection and in one pass. It
// accepts what package json with the strict options accepts into the same types, and nothing
// else; fuzz targets hold the two against each other. In two places it is stricter: base64 must be
// the one encoding of its bytes, and a whole number has no sign and is below 2^31. The first error
// stands, every later read returns nothing.
type scanner struct {
	b    []byte
	i    int
	fail error
}

// maxMembers bounds the members of one object or items of one array that are looked at.
const maxMembers = 4096

func (s *scanner) wrong(what string) {
	if s.fail == nil {
		s.fail = gate.Errorf(gate.InvalidRequest, "the body is not the JSON it should be: %s at byte %d", what, s.i)
	}
	s.i = len(s.b)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is not space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.take(c) {
		s.wrong("expected " + strconv.QuoteRune(rune(c)))
	}
}

// end demands that nothing is left, and returns the first error.
func (s *scanner) end() error {
	if s.peek() != 0 || s.i < len(s.b) {
		s.wrong("something after the object")
	}
	return s.fail
}

// object reads an object; member is called behind each name's colon and reads its value. No name
// may stand twice.
func (s *scanner) object(member func(name string)) {
	s.expect('{')
	if s.take('}') || s.fail != nil {
		return
	}
	var seen names
	for members := 1; ; members++ {
		name := nameOf(s.text())
		if !seen.add(name) {
			s.wrong("a name that stands twice")
		}
		if members > maxMembers {
			s.wrong("too many members")
		}
		s.expect(':')
		if s.fail != nil {
			return
		}
		member(name)
		if s.fail != nil || s.take('}') {
			return
		}
		s.expect(',')
	}
}

// nameOf makes a string of a name; the ones that hot requests have cost nothing.
func nameOf(text []byte) string {
	switch string(text) {
	case "op":
		return "op"
	case "key":
		return "key"
	case "plaintext":
		return "plaintext"
	case "ciphertext":
		return "ciphertext"
	case "context":
		return "context"
	case "bytes":
		return "bytes"
	}
	return string(text)
}

// names are those of one object: the first few are compared one by one, more by a map, so that
// the work grows with the body's length and not with its square.
type names struct {
	few  [fewNames]string
	n    int // of few
	many map[string]struct{}
}

const fewNames = 8

// add adds a name; false when it is there already.
func (n *names) add(name string) bool {
	if slices.Contains(n.few[:n.n], name) {
		return false
	}
	if n.n < fewNames {
		n.few[n.n] = name
		n.n++
		return true
	}
	if n.many == nil {
		n.many = map[string]struct{}{}
	}
	before := len(n.many)
	n.many[name] = struct{}{}
	return len(n.many) > before
}

// array reads an array; item reads each item.
func (s *scanner) array(item func()) {
	s.expect('[')
	if s.take(']') || s.fail != nil {
		return
	}
	for {
		item()
		if s.fail != nil || s.take(']') {
			return
		}
		s.expect(',')
	}
}

func (s *scanner) word(w string) {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		s.wrong("expected a value")
		return
	}
	s.i += len(w)
}

// boolean reads true or false.
func (s *scanner) boolean() bool {
	if s.peek() == 't' {
		s.word("true")
		return s.fail == nil
	}
	s.word("false")
	return false
}

// integer reads a whole number without sign, fraction or exponent, up to 2^31-1.
func (s *scanner) integer() int {
	s.space()
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	digits := s.b[start:s.i]
	n, err := strconv.ParseInt(string(digits), 10, 32)
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		s.wrong("expected a whole number")
	}
	return int(n)
}

// text reads a string and returns its bytes: a part of the body where nothing was escaped.
func (s *scanner) text() []byte {
	s.expect('"')
	start := s.i
	ascii := true
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			raw := s.b[start:s.i]
			s.i++
			if !ascii && !utf8.Valid(raw) {
				s.wrong("invalid UTF-8")
				return nil
			}
			return raw
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.wrong("a control character in a string")
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
		s.i++
	}
	s.wrong("a string without an end")
	return nil
}

// escaped goes on reading a string from its first escape.
func (s *scanner) escaped(start int) []byte {
	out := append(make([]byte, 0, 2*(s.i-start)+32), s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				s.wrong("invalid UTF-8")
				return nil
			}
			return out
		case c < ' ':
			s.wrong("a control character in a string")
			return nil
		case c == '\\':
			out = s.escape(out)
		default:
			out = append(out, c)
		}
	}
	s.wrong("a string without an end")
	return nil
}

func (s *scanner) escape(out []byte) []byte {
	if s.i >= len(s.b) {
		s.wrong("a string without an end")
		return out
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		r := s.hex()
		if utf16.IsSurrogate(r) {
			if s.i+1 >= len(s.b) || s.b[s.i] != '\\' || s.b[s.i+1] != 'u' {
				s.wrong("half a surrogate pair")
				return out
			}
			s.i += 2
			if r = utf16.DecodeRune(r, s.hex()); r == utf8.RuneError {
				s.wrong("half a surrogate pair")
			}
		}
		return utf8.AppendRune(out, r)
	}
	s.wrong("an unknown escape")
	return out
}

func (s *scanner) hex() rune {
	if len(s.b)-s.i < 4 {
		s.wrong("an escape cut off")
		return 0
	}
	n := rune(0)
	for range 4 {
		c := s.b[s.i]
		s.i++
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | rune(c-'A'+10)
		default:
			s.wrong("an escape that is not hexadecimal")
			return 0
		}
	}
	return n
}

// plain is text for who refuses every character but ASCII letters, digits and signs by itself: it
// looks at each byte only as fast as the processor finds one, which for 4 KiB is a fifth of the
// time of a request.
func (s *scanner) plain() []byte {
	if s.peek() == '"' {
		rest := s.b[s.i+1:]
		if n := bytes.IndexByte(rest, '"'); n >= 0 && bytes.IndexByte(rest[:n], '\\') < 0 {
			s.i += n + 2
			return rest[:n]
		}
	}
	return s.text()
}

// strictBase64 refuses what has a second encoding; line breaks are refused by binary.
var strictBase64 = base64.StdEncoding.Strict()

// binary reads base64, standard alphabet, padded, in its one encoding.
func (s *scanner) binary() []byte {
	text := s.plain()
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		s.wrong("a line break in base64")
		return nil
	}
	out := make([]byte, strictBase64.DecodedLen(len(text)))
	n, err := strictBase64.Decode(out, text)
	if err != nil {
		s.wrong("base64 that is not standard, padded and in its one form")
		return nil
	}
	return out[:n]
}

// skip reads one value of any kind, at most depth levels deep, and returns its bytes.
func (s *scanner) skip(depth int) []byte {
	s.space()
	start := s.i
	switch c := s.peek(); {
	case depth == 0:
		s.wrong("nested too deeply")
	case c == '{':
		s.object(func(string) { s.skip(depth - 1) })
	case c == '[':
		s.array(func() { s.skip(depth - 1) })
	case c == '"':
		s.text()
	case c == 't' || c == 'f':
		s.boolean()
	case c == 'n':
		s.word("null")
	default:
		s.number()
	}
	return s.b[start:s.i]
}

// number reads any JSON number and forgets it.
func (s *scanner) number() {
	s.take('-')
	if !s.digits(true) {
		return
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		s.digits(false)
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		s.digits(false)
	}
}

func (s *scanner) digits(whole bool) bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == start || whole && s.i-start > 1 && s.b[start] == '0' {
		s.wrong("expected a value")
		return false
	}
	return true
}
