package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/haven-health/haven/internal/disk"
)

// source is a segment opened for reading, live or archived.
type source struct {
	name  string
	start uint64 // records before it
	off   int64  // where to begin
	end   int64  // of its frames
	file  disk.File
	live  *segment // pinned, or nil
}

// Records yields each whole frame, as stored, from the one that holds record from up to the record
// before to, out of archive and live segments. It stops after the first error, which matches
// ErrMalformed and names the place when the bytes are wrong. What it yields is valid until the
// next.
func (l *Log) Records(ctx context.Context, from, to uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for position := from; position < to; {
			next, err := l.readFrom(ctx, position, to, yield)
			if err == nil && next <= position {
				err = malformed("record %d is in no segment", position)
			}
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			position = next
		}
	}
}

// errStopped ends reading because nobody wants more.
var errStopped = errors.New("journal: stopped")

// readFrom yields the frames of the one segment that holds record from, and returns the record
// behind the last.
func (l *Log) readFrom(ctx context.Context, from, to uint64, yield func([]byte, error) bool) (uint64, error) {
	src, err := l.find(from)
	if err != nil {
		return from, err
	}
	defer l.release(src)
	r := frameReader{file: src.file, off: src.off, end: src.end}
	var state *State // unknown before the first frame
	for from < to {
		if err := ctx.Err(); err != nil {
			return from, err
		}
		at := r.off
		data, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && state == nil && frameEnd(data) <= from {
			continue
		}
		if err == nil {
			state, err = step(state, data)
		}
		if err != nil {
			return from, fmt.Errorf("%s, offset %d: %w", src.name, at, err)
		}
		from = state.Position
		if !yield(data, nil) {
			return from, errStopped
		}
	}
	return from, nil
}

// frameEnd returns the record behind the frame, as it says itself.
func frameEnd(data []byte) uint64 {
	return binary.BigEndian.Uint64(data[24:]) + uint64(binary.BigEndian.Uint32(data[20:]))
}

// step checks a frame and that it continues the log at s, and returns the state behind it.
func step(s *State, data []byte) (*State, error) {
	f, err := DecodeFrame(data)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = &State{Mark: Mark{Position: f.Position, Chain: f.Before}}
	}
	if !s.precedes(&f.Header) {
		return nil, malformed("the chain breaks at record %d", s.Position)
	}
	s.advance(&f.Header)
	return s, nil
}

// find opens the segment that holds a record, near it.
func (l *Log) find(position uint64) (*source, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return nil, l.failed
	}
	for i := len(l.live) - 1; i >= 0; i-- {
		if l.live[i].start.Position <= position {
			return l.pin(l.live[i], position)
		}
	}
	for i := len(l.archived) - 1; i >= 0; i-- {
		if l.archived[i].position <= position {
			return l.openArchive(l.archived[i])
		}
	}
	return nil, malformed("record %d is in no segment", position)
}

// pin opens a live segment under its name, so that recycling it does not change what is read.
func (l *Log) pin(s *segment, position uint64) (*source, error) {
	name := l.liveName(s.number)
	f, err := l.cfg.FS.Open(name)
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, err)
	}
	s.readers++
	src := &source{name: name, start: s.start.Position, off: segmentHeader, end: s.end, file: f, live: s}
	for _, m := range s.marks {
		if m.position > position {
			break
		}
		src.off = m.offset
	}
	return src, nil
}

func (l *Log) openArchive(a archivedSegment) (*source, error) {
	name := l.archiveName(a)
	f, err := l.cfg.FS.Open(name)
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, err)
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s: %w", name, err), f.Close())
	}
	return &source{name: name, start: a.position, off: segmentHeader, end: size, file: f}, nil
}

func (l *Log) release(src *source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if src.live != nil {
		src.live.readers--
	}
	_ = src.file.Close() // it was only read
}

// Verified is what a full walk found.
type Verified struct {
	Segments, Frames, Records uint64
	// End is the state behind the last frame walked.
	End State
}

// Verify walks the whole log from record 0 to the end at the time of the call: every header,
// frame, chain hash, record and personal value. The error names the first bad place and matches
// ErrMalformed; what was found up to there is returned with it.
func (l *Log) Verify(ctx context.Context) (Verified, error) {
	var v Verified
	l.mu.Lock()
	last, end := l.cur.number, l.state
	l.mu.Unlock()
	for n := uint64(1); n <= last; n++ {
		if err := l.verifySegment(ctx, n, end.Position, &v); err != nil {
			return v, err
		}
		v.Segments++
	}
	if v.End.Mark != end.Mark {
		return v, malformed("the log ends at record %d on the disk, at %d in memory", v.End.Position, end.Position)
	}
	return v, nil
}

// openNumber opens a segment by its number, its archived copy first.
func (l *Log) openNumber(n uint64) (*source, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.archived {
		if a.number == n {
			return l.openArchive(a)
		}
	}
	for _, s := range l.live {
		if s.number == n {
			return l.pin(s, 0)
		}
	}
	return nil, malformed("segment %d is missing", n)
}

func (l *Log) verifySegment(ctx context.Context, n, to uint64, v *Verified) error {
	src, err := l.openNumber(n)
	if err != nil {
		return err
	}
	defer l.release(src)
	start, err := readSegmentHeader(src.file, n)
	if err != nil {
		return fmt.Errorf("%s: %w", src.name, err)
	}
	if n == 1 {
		v.End = start
	}
	if start != v.End {
		return fmt.Errorf("%s: %w", src.name, malformed("it begins at record %d, the one before ends at %d, or their states differ",
			start.Position, v.End.Position))
	}
	if start.Position != src.start || n == 1 && start.Position != 0 {
		return fmt.Errorf("%s: %w", src.name, malformed("it begins at record %d", start.Position))
	}
	r := frameReader{file: src.file, off: segmentHeader, end: src.end}
	for v.End.Position < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, _, err := r.follow(&v.End)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = verifyFrame(&f)
		}
		if err != nil {
			return fmt.Errorf("%s: record %d: %w", src.name, v.End.Position, err)
		}
		v.Frames++
		v.Records += uint64(f.Count)
	}
	return nil
}

// verifyFrame decodes everything in a frame and compares the personal values that are left with
// their commitments.
func verifyFrame(f *Frame) error {
	var records []Record
	for data, err := range f.Records() {
		if err != nil {
			return err
		}
		r, err := DecodeRecord(data)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	personal, err := f.Personal()
	if err != nil {
		return err
	}
	for _, p := range personal {
		if !p.Erased && !committed(&records[p.Record], &p) {
			return malformed("personal value %d of record %d differs from its commitment", p.Field, f.Position+uint64(p.Record))
		}
	}
	return nil
}

func committed(r *Record, p *PersonalValue) bool {
	want := Commit(p.Field, p.Salt, p.Value)
	for _, c := range r.Commitments {
		if c == want {
			return true
		}
	}
	return false
}
