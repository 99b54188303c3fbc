package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/haven-health/haven/internal/disk"
)

// A segment is a file of frames back to back, behind a header of segmentHeader bytes, version 1,
// all numbers big-endian:
//
//	magic "HVSG" (4)  version (1)  zero (3)  segment number, from 1 (8)
//	state before the first frame:
//	  position (8)  chain (32)  incarnation (8)  epoch (8)
//	  position (8) and chain (32) after the last frame with changes
//	  id of the last batch (16)
//	CRC-32C of the above (4)  zeros
//
// A file is longer than its frames: it is allocated once and, when its frames stand in the
// archive, used again under a later number. What an earlier use left behind is told from new
// frames by position and chain hash, and an earlier header by its number.
const (
	segmentMagic   = "HVSG"
	segmentVersion = 1
	segmentHeader  = 512
	segmentUsed    = 4 + 1 + 3 + 8 + 8 + 32 + 8 + 8 + 8 + 32 + 16
)

// Mark is a place in the chain: how many records stand before it, and the chain hash there.
type Mark struct {
	Position uint64
	Chain    [32]byte
}

// State is what a log knows between two frames.
type State struct {
	// Mark is the end of the log.
	Mark
	// Incarnation and Epoch are the store's after the last frame.
	Incarnation, Epoch uint64
	// Changed is the place after the last frame that changed the store. A store whose own head
	// says otherwise, or this log, was rolled back.
	Changed Mark
	// Batch is the id of the last frame's batch.
	Batch [16]byte
}

// precedes tells whether the frame continues the log.
func (s *State) precedes(h *Header) bool { return h.Position == s.Position && h.Before == s.Chain }

// advance moves the state behind the frame.
func (s *State) advance(h *Header) {
	changed := h.Changes || h.Epoch != s.Epoch || h.Incarnation != s.Incarnation
	s.Mark = Mark{Position: h.Position + uint64(h.Count), Chain: h.After}
	s.Incarnation, s.Epoch, s.Batch = h.Incarnation, h.Epoch, h.Batch
	if changed {
		s.Changed = s.Mark
	}
}

// appendSegmentHeader encodes the header of segment number n that begins at s.
func appendSegmentHeader(dst []byte, n uint64, s *State) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = append(dst, segmentVersion, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, n)
	dst = binary.BigEndian.AppendUint64(dst, s.Position)
	dst = append(dst, s.Chain[:]...)
	dst = binary.BigEndian.AppendUint64(dst, s.Incarnation)
	dst = binary.BigEndian.AppendUint64(dst, s.Epoch)
	dst = binary.BigEndian.AppendUint64(dst, s.Changed.Position)
	dst = append(dst, s.Changed.Chain[:]...)
	dst = append(dst, s.Batch[:]...)
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return append(dst, make([]byte, segmentHeader-(len(dst)-start))...)
}

// decodeSegmentHeader reads a header, which must be the whole of b. Errors match ErrMalformed or
// ErrVersion.
func decodeSegmentHeader(b []byte) (n uint64, s State, err error) {
	if len(b) != segmentHeader || string(b[:4]) != segmentMagic {
		return 0, s, malformed("no segment header")
	}
	if crc32.Checksum(b[:segmentUsed], castagnoli) != binary.BigEndian.Uint32(b[segmentUsed:]) {
		return 0, s, malformed("segment header differs from its checksum")
	}
	if b[4] > segmentVersion {
		return 0, s, fmt.Errorf("%w: segment version %d", ErrVersion, b[4])
	}
	if b[4] != segmentVersion || b[5]|b[6]|b[7] != 0 {
		return 0, s, malformed("segment version %d", b[4])
	}
	for _, c := range b[segmentUsed+4:] {
		if c != 0 {
			return 0, s, malformed("bytes behind the segment header")
		}
	}
	n = binary.BigEndian.Uint64(b[8:])
	s.Position = binary.BigEndian.Uint64(b[16:])
	copy(s.Chain[:], b[24:])
	s.Incarnation = binary.BigEndian.Uint64(b[56:])
	s.Epoch = binary.BigEndian.Uint64(b[64:])
	s.Changed.Position = binary.BigEndian.Uint64(b[72:])
	copy(s.Changed.Chain[:], b[80:])
	copy(s.Batch[:], b[112:])
	return n, s, nil
}

// readSegmentHeader reads the header of segment number n from its file; a header of another
// number is malformed: it is an earlier use's.
func readSegmentHeader(f disk.File, n uint64) (State, error) {
	var b [segmentHeader]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return State{}, err
	}
	got, s, err := decodeSegmentHeader(b[:])
	if err == nil && got != n {
		err = malformed("header of segment %d in the file of segment %d", got, n)
	}
	return s, err
}

// frameReader reads the frames of a file one after another.
type frameReader struct {
	file disk.File
	off  int64 // of the next frame
	end  int64 // where frames end at the latest
	buf  []byte
	at   int64 // offset of buf
}

// readAhead is how much is read at once, in bytes.
const readAhead = 256 << 10

// bytes returns the n bytes at the current offset, valid until the next call; fewer at the end.
func (r *frameReader) bytes(n int) ([]byte, error) {
	n = int(min(int64(n), r.end-r.off))
	if skip := r.off - r.at; skip >= 0 && skip+int64(n) <= int64(len(r.buf)) {
		return r.buf[skip : skip+int64(n)], nil
	}
	want := int(min(int64(max(n, readAhead)), r.end-r.off))
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	r.buf, r.at = r.buf[:want], r.off
	got, err := r.file.ReadAt(r.buf, r.off)
	r.buf = r.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return r.buf[:min(n, got)], nil
}

// window returns what is at hand at the current offset, at least MinFrame bytes if there are.
func (r *frameReader) window() ([]byte, error) {
	if rest := r.at + int64(len(r.buf)) - r.off; rest >= MinFrame && r.off >= r.at {
		return r.buf[r.off-r.at:], nil
	}
	return r.bytes(readAhead)
}

// next returns the next frame, whole as far as its length says, and steps over it. It returns
// io.EOF at the end, and an error matching ErrMalformed where no frame begins.
func (r *frameReader) next() ([]byte, error) {
	if r.off >= r.end {
		return nil, io.EOF
	}
	head, err := r.bytes(FrameHeader)
	if err != nil {
		return nil, err
	}
	n, ok := FrameLength(head)
	if !ok || int64(n) > r.end-r.off {
		return nil, malformed("no frame at offset %d", r.off)
	}
	data, err := r.bytes(n)
	if err != nil {
		return nil, err
	}
	if len(data) < n {
		return nil, malformed("frame at offset %d cut off", r.off)
	}
	r.off += int64(n)
	return data, nil
}

// follow returns the next frame if it continues the log at s, and moves s behind it. Errors are
// those of next, and ErrMalformed for a frame that does not continue it; then the reader stands
// where it stood.
func (r *frameReader) follow(s *State) (Frame, []byte, error) {
	at := r.off
	data, err := r.next()
	if err != nil {
		return Frame{}, nil, err
	}
	f, err := DecodeFrame(data)
	if err == nil && !s.precedes(&f.Header) {
		err = malformed("frame at record %d does not continue the chain at record %d", f.Position, s.Position)
	}
	if err != nil {
		r.off = at
		return Frame{}, nil, fmt.Errorf("offset %d: %w", at, err)
	}
	s.advance(&f.Header)
	return f, data, nil
}
