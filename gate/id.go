package gate

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"time"
)

// ID is a UUID (RFC 9562): of a key, a principal, a request, a decision.
type ID [16]byte

// NewID makes a version 7 id: its first 48 bits are the time in milliseconds, so that things made
// one after another lie beside each other in the store.
func NewID(now time.Time, random io.Reader) (ID, error) {
	drawn := make([]byte, randomOfID)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return ID{}, &Error{Code: Internal, Detail: "no randomness", cause: err}
	}
	return makeID(now, [randomOfID]byte(drawn)), nil
}

// randomOfID is how many random bytes an id is made of.
const randomOfID = 10

func makeID(now time.Time, random [randomOfID]byte) ID {
	var id ID
	copy(id[6:], random[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero tells whether the id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the usual form, 8-4-4-4-12 lower-case hexadecimal digits.
func (id ID) String() string { return string(id.Append(make([]byte, 0, 36))) }

// Append appends the form String gives.
func (id ID) Append(b []byte) []byte {
	for i, group := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, id[group[0]:group[1]])
	}
	return b
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return id.Append(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it takes the form String gives, no other.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, ok := ParseID(string(text))
	if !ok {
		return Errorf(InvalidRequest, "not an id: ids look like 01890a5d-ac96-774b-bcce-b302099a8057")
	}
	*id = parsed
	return nil
}

// ParseID reads the form String gives; ok is false for anything else.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != 36 {
		return ID{}, false
	}
	at := 0
	for i := 0; i < len(s); {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return ID{}, false
			}
			i++
			continue
		}
		hi, lo := nibble(s[i]), nibble(s[i+1])
		if hi < 0 || lo < 0 {
			return ID{}, false
		}
		id[at] = byte(hi<<4 | lo)
		at, i = at+1, i+2
	}
	return id, true
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
