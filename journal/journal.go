// Package journal is the durable, ordered record of every operation: what a record, a frame and a
// segment look like in bytes, how they are chained, and how they are read back.
//
// A record tells one operation's outcome. Records are grouped into frames, one frame a commit; a
// frame is written with one write and made durable with one sync. Every frame holds the hash of
// the chain before it, and its own hash continues the chain, so that a record cannot be changed,
// dropped, inserted or moved without every later hash being wrong.
//
// Personal values (names, addresses) stand outside the chain, in a part of the frame of their
// own; the record holds a salted commitment of each. Overwriting the value erases the person and
// leaves the chain as it was.
//
// It guarantees: one encoding of each record and frame (what decodes, encodes to the same bytes);
// every length is checked before it is believed; a torn or altered frame is told from a whole
// one. It never holds plaintext, ciphertext, key material, tokens or signatures: there is no
// field for them.
package journal

import (
	"errors"
	"fmt"
)

// Errors of decoding. Both are wrapped with the place and the reason.
var (
	// ErrMalformed says that bytes are not a record or frame of a version known here.
	ErrMalformed = errors.New("journal: malformed")
	// ErrVersion says that the bytes come from a later release: use that one.
	ErrVersion = errors.New("journal: written by a later release")
)

// Limits of the format, in bytes.
const (
	// MaxRecord is the longest record.
	MaxRecord = 4096
	// MaxFrame is the longest frame, personal values included.
	MaxFrame = 8 << 20
	// MaxPersonal is the longest personal value.
	MaxPersonal = 512
	// MaxRecords is the most records of one frame.
	MaxRecords = 8192
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
