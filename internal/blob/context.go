package blob

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"
)

// MaxContext is the most bytes that the keys and values of an encryption context may have in
// all, as in AWS KMS.
const MaxContext = 8192

// maxEncodedContext is the longest encoding: every pair but one has a key of a byte at least.
const maxEncodedContext = len(emptyContext) + MaxContext + 4*(MaxContext+1)

// contextLabel begins every encoded context.
const contextLabel = "haven/ec/v1"

// emptyContext is the encoding of no pairs.
const emptyContext = contextLabel + "\x00\x00"

// Pair is one entry of an encryption context: exact bytes, nothing normalised or folded.
type Pair struct{ Key, Value string }

// Context is an encryption context: what a message was encrypted for. It is not secret and is
// recorded in clear. The zero value is the empty context, and absent equals empty.
//
// Its encoding is canonical and injective: "haven/ec/v1" ‖ u16 number of pairs ‖ for each, in
// ascending order of the key's bytes, u16 length ‖ key ‖ u16 length ‖ value; big-endian.
type Context struct {
	encoded []byte // nil, or not empty
}

// NewContext makes a context of pairs in any order; it sorts them in place. It returns
// [ErrMalformed] when two have the same key or they are over [MaxContext].
func NewContext(pairs []Pair) (Context, error) {
	size := 0
	for _, p := range pairs {
		if size += len(p.Key) + len(p.Value); size > MaxContext {
			return Context{}, malformed("context too long")
		}
	}
	if len(pairs) == 0 {
		return Context{}, nil
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	b := make([]byte, 0, len(emptyContext)+size+4*len(pairs))
	b = append(b, contextLabel...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pairs)))
	for i, p := range pairs {
		if i > 0 && p.Key == pairs[i-1].Key {
			return Context{}, malformed("context key twice")
		}
		b = appendString(b, p.Key)
		b = appendString(b, p.Value)
	}
	return Context{b}, nil
}

// ContextOf makes a context of a map. It returns [ErrMalformed] when it is over [MaxContext].
func ContextOf(m map[string]string) (Context, error) {
	pairs := make([]Pair, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, Pair{k, v})
	}
	return NewContext(pairs)
}

// ParseContext reads an encoded context: exactly what [Context.Encoded] returns, or
// [ErrMalformed]. It keeps no part of b.
func ParseContext(b []byte) (Context, error) {
	if len(b) > maxEncodedContext {
		return Context{}, malformed("context too long")
	}
	rest, ok := strings.CutPrefix(string(b), contextLabel)
	if !ok || len(rest) < 2 {
		return Context{}, malformed("context label")
	}
	count := int(rest[0])<<8 | int(rest[1])
	rest = rest[2:]
	pairs := make([]Pair, 0, min(count, len(rest)/4))
	for range count {
		var p Pair
		if p.Key, rest, ok = cutString(rest); ok {
			p.Value, rest, ok = cutString(rest)
		}
		if !ok {
			return Context{}, malformed("context cut short")
		}
		if n := len(pairs); n > 0 && pairs[n-1].Key >= p.Key {
			return Context{}, malformed("context order")
		}
		pairs = append(pairs, p)
	}
	if rest != "" {
		return Context{}, malformed("context trailing bytes")
	}
	return NewContext(pairs)
}

// Encoded returns the canonical encoding. It must not be changed.
func (c Context) Encoded() []byte {
	if c.encoded == nil {
		return []byte(emptyContext)
	}
	return c.encoded
}

// Len returns the number of pairs.
func (c Context) Len() int {
	return int(binary.BigEndian.Uint16(c.Encoded()[len(contextLabel):]))
}

// All yields the pairs in the order of their keys.
func (c Context) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for k, v := range Pairs(c.Encoded()).each() {
			if !yield(string(k), string(v)) {
				return
			}
		}
	}
}

// Pairs is an encoded context, as [Context.Encoded] returned it, to look things up in.
type Pairs []byte

// Get returns the value of a key. It copies that alone.
func (p Pairs) Get(key string) (value string, ok bool) {
	for k, v := range p.each() {
		if string(k) == key {
			return string(v), true
		}
	}
	return "", false
}

// Name returns the i-th key, in their order.
func (p Pairs) Name(i int) (key string, ok bool) {
	for k := range p.each() {
		if i == 0 {
			return string(k), true
		}
		i--
	}
	return "", false
}

// each yields the pairs as they stand.
func (p Pairs) each() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for rest := p[min(len(emptyContext), len(p)):]; len(rest) > 0; {
			var k, v []byte
			k, rest = cut(rest)
			v, rest = cut(rest)
			if !yield(k, v) {
				return
			}
		}
	}
}

// cut cuts a length and so many bytes off an encoding that is known to be whole.
func cut(b []byte) (head, tail []byte) {
	n := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:n], b[n:]
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func cutString(s string) (head, tail string, ok bool) {
	if len(s) < 2 {
		return "", "", false
	}
	n := int(s[0])<<8 | int(s[1])
	if s = s[2:]; len(s) < n {
		return "", "", false
	}
	return s[:n], s[n:], true
}
