// Package secret holds bytes that must not be seen: key material, passphrases, stored values.
//
// A [Bytes] does not print, log, marshal or compare with ==. It guarantees that no formatting
// verb, encoder or reflection walk reaches the content: the only way to it is [Expose], so that a
// reviewer finds every place that handles raw secrets by searching for one word.
//
// It does not protect memory. The Go runtime and the standard library's ciphers copy what they are
// given; [Bytes.Destroy] zeroes the one buffer held here and promises that the content is not used
// again through it, not that no copy is left in RAM.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what stands in the place of a secret wherever one is printed.
const Redacted = "[redacted]"

var (
	// ErrTooLong says that an input has more bytes than its limit. What was read is zeroed.
	ErrTooLong = errors.New("secret: longer than its limit")
	// ErrEncoding says that a secret was to be decoded from or encoded into bytes by a generic
	// encoder. It has to be done by hand, where it can be seen.
	ErrEncoding = errors.New("secret: not to be encoded or decoded")
)

// Bytes is a secret. Copies of a Bytes share one content; destroying one destroys all. The zero
// value is an empty secret.
//
// Methods may be called from several goroutines, except that nobody may use what [Expose] returned
// while Destroy runs: the owner destroys after the last use.
type Bytes struct {
	// A func value cannot be compared with ==, and reflection cannot see what it has captured.
	// Printing a struct that holds a Bytes in an unexported field calls none of the methods below
	// and walks the fields instead; it finds an address.
	hold func() *content
}

type content struct{ b []byte }

// New makes a secret of b and takes it over: b must not be used by the caller again, for Destroy
// zeroes it.
func New(b []byte) Bytes {
	c := &content{b}
	return Bytes{hold: func() *content { return c }}
}

// Random makes a secret of n bytes from r. It returns r's error if r does not give them.
func Random(r io.Reader, n int) (Bytes, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		clear(b)
		return Bytes{}, fmt.Errorf("secret: reading random bytes: %w", err)
	}
	return New(b), nil
}

// Read makes a secret of all that r gives, at most limit bytes. It returns [ErrTooLong] when there
// is more, or r's error; what was read is zeroed then. The buffer is made once, at its full size,
// because growing one leaves copies behind.
func Read(r io.Reader, limit int) (Bytes, error) {
	b := make([]byte, limit+1)
	err, n := error(nil), 0
	for err == nil && n < len(b) {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	switch {
	case n > limit:
		err = ErrTooLong
	case err == io.EOF:
		return New(b[:n]), nil
	}
	clear(b)
	return Bytes{}, err
}

// Expose returns the content itself, not a copy; nil when empty or destroyed. It is the only way
// to a secret's bytes. The caller must neither keep nor change them, nor convert them to a string,
// which nobody can zero.
func Expose(s Bytes) []byte {
	if s.hold == nil {
		return nil
	}
	return s.hold().b
}

// Len returns the number of bytes; 0 when destroyed. A length is not held to be secret.
func (s Bytes) Len() int { return len(Expose(s)) }

// Clone returns a copy with a content of its own.
func (s Bytes) Clone() Bytes { return New(append([]byte(nil), Expose(s)...)) }

// Equal reports whether both have the same content, in time that depends on the lengths only.
func (s Bytes) Equal(other Bytes) bool {
	return subtle.ConstantTimeCompare(Expose(s), Expose(other)) == 1
}

// Destroy zeroes the content and lets go of it. The secret, and each copy of it, is empty
// afterwards. It may be called again.
func (s Bytes) Destroy() {
	if s.hold == nil {
		return
	}
	c := s.hold()
	clear(c.b[:cap(c.b)])
	c.b = nil
}

// Format implements [fmt.Formatter]: [Redacted] under every verb.
func (Bytes) Format(f fmt.State, _ rune) { io.WriteString(f, Redacted) }

// String returns [Redacted].
func (Bytes) String() string { return Redacted }

// GoString returns [Redacted].
func (Bytes) GoString() string { return Redacted }

// LogValue implements [slog.LogValuer]: [Redacted].
func (Bytes) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json and encoding/xml use too:
// [Redacted], so that a struct with a secret in it can be shown.
func (Bytes) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText returns [ErrEncoding]: without it a decoder would leave the secret empty and say
// nothing.
func (*Bytes) UnmarshalText([]byte) error { return ErrEncoding }

// MarshalBinary returns [ErrEncoding]. encoding/gob uses it.
func (Bytes) MarshalBinary() ([]byte, error) { return nil, ErrEncoding }

// UnmarshalBinary returns [ErrEncoding].
func (*Bytes) UnmarshalBinary([]byte) error { return ErrEncoding }
