package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
)

// A frame, version 1, all numbers big-endian:
//
//	magic "HVFR" (4)  version (1)  flags (1)  zero (2)
//	total length (4)  records length (4)  personal length (4)  record count (4)
//	position: records before this frame (8)  time of the commit, ns (8)
//	incarnation (8)  epoch after this frame (8)  batch id (16)
//	chain before (32)  guard length (2)  guard
//	records: each uvarint length, bytes
//	chain after (32) = SHA-256("haven/journal/frame/v1" ‖ 0x00 ‖ everything above)
//	personal values: each record (2) field (1) erased (1) salt (16) length (2) value
//	CRC-32C of the personal values (4)
//
// The chain hash tells a whole frame from a torn one up to the records; the CRC does it for the
// personal values, which the chain must not cover.
const (
	frameMagic   = "HVFR"
	frameVersion = 1
	frameFixed   = 4 + 1 + 1 + 2 + 4*4 + 8 + 8 + 8 + 8 + 16 + 32 + 2
	frameLabel   = "haven/journal/frame/v1\x00"
	// MinFrame is the length of the shortest frame.
	MinFrame = frameFixed + 2 + 32 + 4
	// MaxGuard is the longest guard.
	MaxGuard = 1024
	// FrameHeader is how many bytes of a frame tell its length: see [FrameLength].
	FrameHeader = 12
)

const flagChanges = 1

// castagnoli is a table of constants, not state.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is what a frame says of itself.
type Header struct {
	// Changes tells that the commit changed items of the store, not only added records.
	Changes bool
	// Position is the number of records before the frame, Count that of its own.
	Position uint64
	Count    uint32
	// Time is the gate's time of the commit, in nanoseconds since 1970 UTC.
	Time int64
	// Incarnation and Epoch are the store's after the commit.
	Incarnation uint64
	Epoch       uint64
	Batch       [16]byte
	// Before is the chain hash before the frame, After the one it leads to.
	Before, After [32]byte
	// Guard is the gate's: heads of what it guards beside the journal (at most MaxGuard bytes).
	Guard []byte
}

// PersonalValue is a value that a record commits to: record is its place in the frame.
type PersonalValue struct {
	Record uint16
	Field  Personal
	Erased bool
	Salt   [16]byte
	Value  string
}

// Frame is a decoded frame. It shares the bytes it was decoded from.
type Frame struct {
	Header
	records  []byte
	personal []byte
}

// Builder puts a frame together. Reuse one to save its buffers; Reset begins anew.
type Builder struct {
	records  []byte
	personal []byte
	count    uint32
}

// Reset empties the builder.
func (b *Builder) Reset() { b.records, b.personal, b.count = b.records[:0], b.personal[:0], 0 }

// Count returns the number of records added.
func (b *Builder) Count() int { return int(b.count) }

// Size returns an upper bound of the frame's length with a guard of MaxGuard bytes.
func (b *Builder) Size() int { return MinFrame + MaxGuard + len(b.records) + len(b.personal) }

// Add appends a record that AppendRecord encoded, and its personal values, whose Record is set
// here.
func (b *Builder) Add(record []byte, personal []PersonalValue) {
	b.records = binary.AppendUvarint(b.records, uint64(len(record)))
	b.records = append(b.records, record...)
	for i := range personal {
		p := &personal[i]
		b.personal = binary.BigEndian.AppendUint16(b.personal, uint16(b.count))
		b.personal = append(b.personal, byte(p.Field), 0)
		b.personal = append(b.personal, p.Salt[:]...)
		b.personal = binary.BigEndian.AppendUint16(b.personal, uint16(len(p.Value)))
		b.personal = append(b.personal, p.Value...)
	}
	b.count++
}

// AppendFrame appends the frame to dst; h.Count and h.After are set by it. It returns an error
// when the frame would be over its limits.
func (b *Builder) AppendFrame(dst []byte, h *Header) ([]byte, error) {
	total := frameFixed + len(h.Guard) + len(b.records) + 32 + len(b.personal) + 4
	if b.count == 0 || b.count > MaxRecords || len(h.Guard) > MaxGuard || total > MaxFrame {
		return dst, malformed("frame of %d records, %d bytes", b.count, total)
	}
	h.Count = b.count
	start := len(dst)
	out := append(dst, frameMagic...)
	flags := byte(0)
	if h.Changes {
		flags = flagChanges
	}
	out = append(out, frameVersion, flags, 0, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(total))
	out = binary.BigEndian.AppendUint32(out, uint32(len(b.records)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(b.personal)))
	out = binary.BigEndian.AppendUint32(out, b.count)
	out = binary.BigEndian.AppendUint64(out, h.Position)
	out = binary.BigEndian.AppendUint64(out, uint64(h.Time))
	out = binary.BigEndian.AppendUint64(out, h.Incarnation)
	out = binary.BigEndian.AppendUint64(out, h.Epoch)
	out = append(out, h.Batch[:]...)
	out = append(out, h.Before[:]...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(h.Guard)))
	out = append(out, h.Guard...)
	out = append(out, b.records...)
	h.After = chain(out[start:])
	out = append(out, h.After[:]...)
	out = append(out, b.personal...)
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(b.personal, castagnoli))
	return out, nil
}

func chain(chained []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(frameLabel))
	h.Write(chained)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// FrameLength returns the length of the frame that begins with b, which needs [FrameHeader]
// bytes; ok is false when no frame begins there.
func FrameLength(b []byte) (n int, ok bool) {
	if len(b) < FrameHeader || string(b[:4]) != frameMagic {
		return 0, false
	}
	n = int(binary.BigEndian.Uint32(b[8:]))
	return n, n >= MinFrame && n <= MaxFrame
}

// DecodeFrame reads the frame that is the whole of b and checks its lengths, its chain hash and
// its CRC; not that it follows the frame before it: compare Header.Before. The records are
// checked when they are read. Errors match ErrMalformed or ErrVersion.
func DecodeFrame(b []byte) (Frame, error) {
	var f Frame
	n, ok := FrameLength(b)
	if !ok || n != len(b) {
		return f, malformed("no frame of %d bytes", len(b))
	}
	if b[4] > frameVersion {
		return f, fmt.Errorf("%w: frame version %d", ErrVersion, b[4])
	}
	records, personal := int(binary.BigEndian.Uint32(b[12:])), int(binary.BigEndian.Uint32(b[16:]))
	guard := int(binary.BigEndian.Uint16(b[frameFixed-2:]))
	if b[4] != frameVersion || b[5]&^flagChanges != 0 || b[6] != 0 || b[7] != 0 || guard > MaxGuard ||
		records > n || personal > n || frameFixed+guard+records+32+personal+4 != n {
		return f, malformed("frame header")
	}
	f.Changes = b[5] == flagChanges
	f.Count = binary.BigEndian.Uint32(b[20:])
	f.Position = binary.BigEndian.Uint64(b[24:])
	f.Time = int64(binary.BigEndian.Uint64(b[32:]))
	f.Incarnation = binary.BigEndian.Uint64(b[40:])
	f.Epoch = binary.BigEndian.Uint64(b[48:])
	copy(f.Batch[:], b[56:])
	copy(f.Before[:], b[72:])
	f.Guard = b[frameFixed : frameFixed+guard]
	chained := frameFixed + guard + records
	f.records = b[frameFixed+guard : chained]
	f.personal = b[chained+32 : n-4]
	copy(f.After[:], b[chained:])
	if f.Count == 0 || f.Count > MaxRecords {
		return f, malformed("frame of %d records", f.Count)
	}
	if chain(b[:chained]) != f.After {
		return f, malformed("frame hash differs")
	}
	if crc32.Checksum(f.personal, castagnoli) != binary.BigEndian.Uint32(b[n-4:]) {
		return f, malformed("personal values differ from their checksum")
	}
	return f, nil
}

// Records yields the encoded records in order; an error ends it and says where.
func (f *Frame) Records() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		rest := f.records
		for i := range f.Count {
			n, k := binary.Uvarint(rest)
			if k <= 0 || n > uint64(len(rest)-k) || n > MaxRecord || k > 1 && n < 1<<(7*(k-1)) {
				yield(nil, malformed("record %d: length", f.Position+uint64(i)))
				return
			}
			if !yield(rest[k:k+int(n)], nil) {
				return
			}
			rest = rest[k+int(n):]
		}
		if len(rest) != 0 {
			yield(nil, malformed("%d bytes after the last record", len(rest)))
		}
	}
}

// Personal returns the personal values of the frame, erased ones included.
func (f *Frame) Personal() ([]PersonalValue, error) {
	var out []PersonalValue
	for rest := f.personal; len(rest) > 0; {
		if len(rest) < 22 {
			return nil, malformed("personal value cut off")
		}
		n := int(binary.BigEndian.Uint16(rest[20:]))
		if n > MaxPersonal || len(rest) < 22+n || rest[3] > 1 {
			return nil, malformed("personal value of %d bytes", n)
		}
		p := PersonalValue{
			Record: binary.BigEndian.Uint16(rest), Field: Personal(rest[2]), Erased: rest[3] == 1,
			Value: string(rest[22 : 22+n]),
		}
		copy(p.Salt[:], rest[4:20])
		if uint32(p.Record) >= f.Count {
			return nil, malformed("personal value of record %d of %d", p.Record, f.Count)
		}
		out = append(out, p)
		rest = rest[22+n:]
	}
	return out, nil
}
