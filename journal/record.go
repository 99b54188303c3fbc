package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// RecordVersion is the first byte of every record.
const RecordVersion = 1

// Outcome tells how an operation ended.
type Outcome uint8

// The outcomes. The numbers are part of the format.
const (
	Allowed Outcome = 1 // it was done
	Denied  Outcome = 2 // the caller had no right to it
	Failed  Outcome = 3 // it had the right and could not be done: see Record.Error
)

// String returns the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Allowed:
		return "allowed"
	case Denied:
		return "denied"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Flags of a record.
type Flags uint8

// The flags. The numbers are part of the format.
const (
	// Recovery marks a use of compromised material that a recovery permits.
	Recovery Flags = 1 << iota
	// Replay marks an answer repeated for an idempotency key: nothing was done anew.
	Replay
	// BatchItem marks one item of a batch call; Record.Item is its place.
	BatchItem
	// System marks work that Haven began by itself, in the name of a caller's operation.
	System
	// ContextHashed says that Record.Context is the SHA-256 of the encoded context.
	ContextHashed

	knownFlags = Recovery | Replay | BatchItem | System | ContextHashed
)

// Personal names the personal values a record commits to.
type Personal uint8

// The personal values. The numbers are part of the format.
const (
	PrincipalName Personal = 1
	SourceAddress Personal = 2
	UserAgent     Personal = 3
)

// Commitment stands in a record for a personal value.
type Commitment struct {
	Field Personal
	Hash  [32]byte
}

// Commit returns the commitment of a personal value under a random salt:
// SHA-256("haven/journal/personal/v1" ‖ 0x00 ‖ field ‖ salt ‖ value). The salt has a fixed length, so
// that no two inputs give the same bytes; without the salt the value cannot be guessed.
func Commit(field Personal, salt [16]byte, value string) Commitment {
	var buf [len(personalLabel) + 2 + 16 + MaxPersonal]byte
	b := append(buf[:0], personalLabel...)
	b = append(b, 0, byte(field))
	b = append(b, salt[:]...)
	b = append(b, value...)
	return Commitment{Field: field, Hash: sha256.Sum256(b)}
}

const personalLabel = "haven/journal/personal/v1"

// ItemChange tells what an operation did to one item of the store. MAC is the first half of the
// item's: enough for fsck to tell the item as last written from any other.
type ItemChange struct {
	Kind     uint8
	Deleted  bool
	ID       string // 1 to 255 bytes
	Revision uint64
	MAC      [16]byte
}

// Record is one operation's outcome. Fields that an operation does not have are zero and take no
// room.
type Record struct {
	Operation uint16 // the operation's number in the gate's table
	Outcome   Outcome
	Error     uint16 // the error's number in the gate's taxonomy; 0 when Allowed
	Flags     Flags
	Time      int64    // nanoseconds since 1970 UTC, by the gate's clock
	Request   [16]byte // the request's id
	Principal [16]byte // zero: nobody was authenticated

	Key         [16]byte // the key used or managed
	Version     uint32
	Wrapping    [16]byte // the master key that unwrapped or wrapped it
	WrappingVer uint32
	Context     []byte // the encoded encryption context to 64 bytes, else its SHA-256
	Decision    [16]byte
	Reason      string // what the caller gave as reason, to 256 bytes
	Parameters  string // the operation's own typed parameters, "name=value" joined by ";", to 512 bytes
	Item        uint16 // place in a batch call, counted from 0

	Commitments []Commitment // ascending by field
	Changes     []ItemChange // in the order they were made
}

// Tags of the optional fields, ascending in every record.
const (
	tagKey = 1 + iota
	tagVersion
	tagWrapping
	tagWrappingVersion
	tagContext
	tagDecision
	tagReason
	tagParameters
	tagItem
	tagCommitment // repeated, ascending by field
	tagChange     // repeated
)

// fixedLen is the length of a record's fixed part: version, operation, outcome, error, flags,
// time, request, principal.
const fixedLen = 1 + 2 + 1 + 2 + 1 + 8 + 16 + 16

// Limits of a record's texts, in bytes.
const (
	MaxContext    = 64
	MaxReason     = 256
	MaxParameters = 512
)

var zero16 [16]byte

// AppendRecord appends r's one encoding to dst. It returns an error, and dst unchanged, when a
// field is over its limit: a record that cannot be written must stop its operation.
func AppendRecord(dst []byte, r *Record) ([]byte, error) {
	start := len(dst)
	b := append(dst, RecordVersion)
	b = binary.BigEndian.AppendUint16(b, r.Operation)
	b = append(b, byte(r.Outcome))
	b = binary.BigEndian.AppendUint16(b, r.Error)
	b = append(b, byte(r.Flags))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time))
	b = append(b, r.Request[:]...)
	b = append(b, r.Principal[:]...)
	if r.Key != zero16 {
		b = appendField(b, tagKey, r.Key[:])
	}
	if r.Version != 0 {
		b = append(b, tagVersion, 4)
		b = binary.BigEndian.AppendUint32(b, r.Version)
	}
	if r.Wrapping != zero16 {
		b = appendField(b, tagWrapping, r.Wrapping[:])
	}
	if r.WrappingVer != 0 {
		b = append(b, tagWrappingVersion, 4)
		b = binary.BigEndian.AppendUint32(b, r.WrappingVer)
	}
	if len(r.Context) > 0 {
		b = appendField(b, tagContext, r.Context)
	}
	if r.Decision != zero16 {
		b = appendField(b, tagDecision, r.Decision[:])
	}
	if r.Reason != "" {
		b = appendField(b, tagReason, r.Reason)
	}
	if r.Parameters != "" {
		b = appendField(b, tagParameters, r.Parameters)
	}
	if r.Flags&BatchItem != 0 {
		b = append(b, tagItem, 2)
		b = binary.BigEndian.AppendUint16(b, r.Item)
	}
	for _, c := range r.Commitments {
		b = append(b, tagCommitment, 33, byte(c.Field))
		b = append(b, c.Hash[:]...)
	}
	for i := range r.Changes {
		b = appendChange(b, &r.Changes[i])
	}
	if err := r.check(len(b) - start); err != nil {
		return dst, err
	}
	return b, nil
}

func appendField[T string | []byte](b []byte, tag byte, value T) []byte {
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// appendChange encodes kind (its top bit tells a deletion), revision, half a MAC, id.
func appendChange(b []byte, c *ItemChange) []byte {
	b = append(b, tagChange)
	b = binary.AppendUvarint(b, uint64(1+8+16+len(c.ID)))
	kind := c.Kind & 0x7f
	if c.Deleted {
		kind |= 0x80
	}
	b = append(b, kind)
	b = binary.BigEndian.AppendUint64(b, c.Revision)
	b = append(b, c.MAC[:]...)
	return append(b, c.ID...)
}

// check holds the rules that both directions share.
func (r *Record) check(size int) error {
	switch {
	case size > MaxRecord:
		return malformed("record of %d bytes, at most %d", size, MaxRecord)
	case r.Outcome < Allowed || r.Outcome > Failed:
		return malformed("outcome %d", r.Outcome)
	case r.Flags&^knownFlags != 0:
		return malformed("flags %#x", uint8(r.Flags))
	case (r.Outcome == Allowed) != (r.Error == 0):
		return malformed("outcome %s with error %d", r.Outcome, r.Error)
	case len(r.Context) > MaxContext, len(r.Reason) > MaxReason, len(r.Parameters) > MaxParameters:
		return malformed("text over its limit")
	case r.Item != 0 && r.Flags&BatchItem == 0:
		return malformed("item without a batch")
	case r.Flags&ContextHashed != 0 && len(r.Context) != sha256.Size:
		return malformed("hashed context of %d bytes", len(r.Context))
	}
	last := Personal(0)
	for _, c := range r.Commitments {
		if c.Field <= last {
			return malformed("commitments not ascending")
		}
		last = c.Field
	}
	for i := range r.Changes {
		if n := len(r.Changes[i].ID); n == 0 || n > 255 || r.Changes[i].Kind == 0 || r.Changes[i].Kind > 127 {
			return malformed("change %d: kind %d, id of %d bytes", i, r.Changes[i].Kind, n)
		}
	}
	return nil
}

// DecodeRecord reads one record, which must be the whole of b and in its one encoding. What it
// returns shares no memory with b. Errors match ErrMalformed or ErrVersion.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) == 0 {
		return r, malformed("empty record")
	}
	if b[0] > RecordVersion {
		return r, fmt.Errorf("%w: record version %d", ErrVersion, b[0])
	}
	if b[0] != RecordVersion || len(b) < fixedLen || len(b) > MaxRecord {
		return r, malformed("record version %d of %d bytes", b[0], len(b))
	}
	r.Operation = binary.BigEndian.Uint16(b[1:])
	r.Outcome = Outcome(b[3])
	r.Error = binary.BigEndian.Uint16(b[4:])
	r.Flags = Flags(b[6])
	r.Time = int64(binary.BigEndian.Uint64(b[7:]))
	copy(r.Request[:], b[15:31])
	copy(r.Principal[:], b[31:47])
	rest, last, item := b[fixedLen:], byte(0), false
	for len(rest) > 0 {
		tag, value, after, err := cutField(rest)
		if err != nil {
			return Record{}, err
		}
		if tag < last || tag == last && tag < tagCommitment {
			return Record{}, malformed("field %d after %d", tag, last)
		}
		if err := r.setField(tag, value); err != nil {
			return Record{}, err
		}
		rest, last, item = after, tag, item || tag == tagItem
	}
	if r.Flags&BatchItem != 0 && !item {
		return Record{}, malformed("batch item without its place")
	}
	if err := r.check(len(b)); err != nil {
		return Record{}, err
	}
	return r, nil
}

// Glance is what a record says of a use, read without the rest.
type Glance struct {
	Operation uint16
	Outcome   Outcome
	Time      int64
	Key       [16]byte // zero: it names none
	Version   uint32   // 0: it names none
	// Parameters are part of the record that was read.
	Parameters []byte
}

// GlanceAt reads a record's Glance without allocating, for who reads very many. It takes the rest of
// the record as it is: what came out of a frame whose chain hash fits is what was written. Errors match
// ErrMalformed or ErrVersion.
func GlanceAt(b []byte) (g Glance, err error) {
	if len(b) > 0 && b[0] > RecordVersion {
		return g, fmt.Errorf("%w: record version %d", ErrVersion, b[0])
	}
	if len(b) < fixedLen || b[0] != RecordVersion {
		return g, malformed("record of %d bytes", len(b))
	}
	g.Operation, g.Outcome = binary.BigEndian.Uint16(b[1:]), Outcome(b[3])
	g.Time = int64(binary.BigEndian.Uint64(b[7:]))
	for rest := b[fixedLen:]; len(rest) > 0 && rest[0] <= tagParameters; {
		tag, value, after, err := cutField(rest)
		switch {
		case err != nil:
			return Glance{}, err
		case tag == tagKey && len(value) == 16:
			copy(g.Key[:], value)
		case tag == tagVersion && len(value) == 4:
			g.Version = binary.BigEndian.Uint32(value)
		case tag == tagParameters:
			g.Parameters = value
		case tag > tagVersion:
		default:
			return Glance{}, malformed("field %d of %d bytes", tag, len(value))
		}
		rest = after
	}
	return g, nil
}

func cutField(b []byte) (tag byte, value, rest []byte, err error) {
	n, k := binary.Uvarint(b[1:])
	if k <= 0 || n > uint64(len(b)-1-k) || k > 1 && n < 1<<(7*(k-1)) {
		return 0, nil, nil, malformed("length of field %d", b[0])
	}
	end := 1 + k + int(n)
	return b[0], b[1+k : end], b[end:], nil
}

// setField stores one optional field. A field that is present is never empty or zero: that would
// be a second encoding of its absence.
func (r *Record) setField(tag byte, v []byte) error {
	switch {
	case tag == tagKey && len(v) == 16:
		return setID(&r.Key, v)
	case tag == tagVersion && len(v) == 4 && binary.BigEndian.Uint32(v) != 0:
		r.Version = binary.BigEndian.Uint32(v)
	case tag == tagWrapping && len(v) == 16:
		return setID(&r.Wrapping, v)
	case tag == tagWrappingVersion && len(v) == 4 && binary.BigEndian.Uint32(v) != 0:
		r.WrappingVer = binary.BigEndian.Uint32(v)
	case tag == tagContext && len(v) > 0:
		r.Context = append([]byte(nil), v...)
	case tag == tagDecision && len(v) == 16:
		return setID(&r.Decision, v)
	case tag == tagReason && len(v) > 0:
		r.Reason = string(v)
	case tag == tagParameters && len(v) > 0:
		r.Parameters = string(v)
	case tag == tagItem && len(v) == 2 && r.Flags&BatchItem != 0:
		r.Item = binary.BigEndian.Uint16(v)
	case tag == tagCommitment && len(v) == 33:
		c := Commitment{Field: Personal(v[0])}
		copy(c.Hash[:], v[1:])
		r.Commitments = append(r.Commitments, c)
	case tag == tagChange && len(v) > 25:
		c := ItemChange{Kind: v[0] & 0x7f, Deleted: v[0]&0x80 != 0, Revision: binary.BigEndian.Uint64(v[1:]), ID: string(v[25:])}
		copy(c.MAC[:], v[9:25])
		r.Changes = append(r.Changes, c)
	default:
		return malformed("field %d of %d bytes", tag, len(v))
	}
	return nil
}

func setID(id *[16]byte, v []byte) error {
	copy(id[:], v)
	if *id == zero16 {
		return malformed("an id of zeros")
	}
	return nil
}
