package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/internal/fault"
)

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// OpenLog opens the log, or makes a new one that begins at begin when there is none and begin is
// not nil. It walks the newest segment by its chain; where that ends, missing tells the frame at a
// position that the store holds durable elsewhere (nil: none), which is written here too; then
// the torn rest is cut, and everything synced.
//
// A tail is cut only if nothing durable can have stood in it. Where whole frames of later records
// stand behind a gap, the disk lost what was synced: ErrMalformed, as for a segment that is
// missing or does not begin as it must. Nothing is changed then.
func OpenLog(cfg LogConfig, begin *State, missing func(position uint64) ([]byte, error)) (*Log, error) {
	if cfg.SegmentSize == 0 {
		cfg.SegmentSize = DefaultSegment
	}
	l := &Log{cfg: cfg}
	for _, name := range []string{cfg.Live, cfg.Archive} {
		if err := cfg.FS.MkdirAll(name); err != nil {
			return nil, fmt.Errorf("journal: make folder %s: %w", name, err)
		}
	}
	err := l.syncFolder(".")
	if err == nil {
		err = l.listArchive()
	}
	if err == nil {
		err = l.openSegments(begin)
	}
	if err == nil {
		err = l.recover(missing)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.ready = true
	l.spawn()
	return l, nil
}

// openSegments opens the live segments up to the newest with a header, and the next as spare.
func (l *Log) openSegments(begin *State) error {
	numbers, err := l.liveNumbers()
	if err != nil {
		return err
	}
	newest := -1
	for i := len(numbers) - 1; i >= 0 && newest < 0; i-- {
		s, err := l.openSegment(numbers[i])
		if s == nil {
			return err
		}
		switch {
		case err == nil:
			newest = i
			l.live, l.cur = []*segment{s}, s
		case errors.Is(err, ErrVersion):
			return errors.Join(err, s.file.Close())
		default:
			if err := l.dropSpare(); err != nil {
				return errors.Join(err, s.file.Close())
			}
			l.spare = s
		}
	}
	if newest < 0 {
		return l.create(begin)
	}
	if err := l.openFull(numbers[:newest]); err != nil {
		return err
	}
	return l.linkSegments()
}

// openFull opens the segments before the newest that are not archived yet. Files of those that are
// were about to be used again, or are names that a power cut brought back: they go.
func (l *Log) openFull(numbers []uint64) error {
	archived := map[uint64]bool{}
	for _, a := range l.archived {
		archived[a.number] = true
	}
	var full []*segment
	for _, n := range numbers {
		if archived[n] {
			if err := l.cfg.FS.Remove(l.liveName(n)); err != nil {
				return fmt.Errorf("journal: remove segment %d: %w", n, err)
			}
			continue
		}
		s, err := l.openSegment(n)
		if s != nil {
			full = append(full, s)
			l.live = append(full, l.cur) // so that Close finds it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropSpare removes a spare that is not the next segment: two were made, or one came back.
func (l *Log) dropSpare() error {
	if l.spare == nil {
		return nil
	}
	err := errors.Join(l.spare.file.Close(), l.cfg.FS.Remove(l.liveName(l.spare.number)))
	l.spare = nil
	return err
}

// liveNumbers lists the live folder.
func (l *Log) liveNumbers() ([]uint64, error) {
	entries, err := l.cfg.FS.ReadDir(l.cfg.Live)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var numbers []uint64
	for _, e := range entries {
		var n uint64
		if k, err := fmt.Sscanf(e.Name(), "%016x.seg", &n); k == 1 && err == nil &&
			l.liveName(n) == l.cfg.Live+"/"+e.Name() {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// openSegment opens a live segment. The error tells that its header is not valid; without a
// segment, that it could not be opened.
func (l *Log) openSegment(n uint64) (*segment, error) {
	name := l.liveName(n)
	f, err := l.cfg.FS.Open(name)
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, err)
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s: %w", name, err), f.Close())
	}
	s := &segment{number: n, file: f, size: size, end: segmentHeader}
	s.start, err = readSegmentHeader(f, n)
	if errors.Is(err, disk.ErrFailed) {
		return nil, errors.Join(fmt.Errorf("journal: %s: %w", name, err), f.Close())
	}
	if err != nil {
		err = fmt.Errorf("journal: %s: %w", name, err)
	}
	return s, err
}

// create begins a new log.
func (l *Log) create(begin *State) error {
	if begin == nil || len(l.archived) > 0 {
		return malformed("%s holds no segment with a header: the journal was removed", l.cfg.Live)
	}
	if l.spare == nil || l.spare.number != 1 {
		if l.spare != nil {
			return malformed("%s holds segment %d without those before it", l.cfg.Live, l.spare.number)
		}
		f, err := l.cfg.FS.Create(l.liveName(1))
		if err != nil {
			return fmt.Errorf("journal: make segment 1: %w", err)
		}
		l.spare = &segment{number: 1, file: f}
	}
	s := l.spare
	s.start, s.end = *begin, segmentHeader
	if err := s.allocate(l.cfg.SegmentSize); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(appendSegmentHeader(nil, 1, begin), 0); err != nil {
		return fmt.Errorf("journal: begin segment 1: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("journal: segment 1: %w", err)
	}
	l.live, l.cur, l.spare = []*segment{s}, s, nil
	return l.syncFolder(l.cfg.Live)
}

// linkSegments checks that every segment up to the newest is there, live or archived, and tells
// each full segment where its frames end.
func (l *Log) linkSegments() error {
	there := map[uint64]bool{}
	for _, a := range l.archived {
		there[a.number] = true
	}
	for _, s := range l.live {
		there[s.number] = true
	}
	for n := uint64(1); n < l.cur.number; n++ {
		if !there[n] {
			return malformed("segment %d is missing from %s and %s", n, l.cfg.Live, l.cfg.Archive)
		}
	}
	for i, s := range l.live[:len(l.live)-1] {
		end, err := measure(s, l.live[i+1])
		if err != nil {
			return fmt.Errorf("journal: segment %d: %w", s.number, err)
		}
		s.end = end
	}
	return nil
}

// measure finds the end of a full segment's frames by their lengths alone: what they say is
// checked before they are archived.
func measure(s, next *segment) (int64, error) {
	r := frameReader{file: s.file, off: segmentHeader, end: s.size}
	for position := s.start.Position; position < next.start.Position; {
		data, err := r.next()
		if err != nil {
			return 0, err
		}
		if len(data) < MinFrame || binary.BigEndian.Uint64(data[24:]) != position {
			return 0, malformed("no frame of record %d before offset %d", position, r.off)
		}
		position += uint64(binary.BigEndian.Uint32(data[20:]))
	}
	return r.off, nil
}

// recover finds the end of the log in the newest segment, completes it, cuts the torn rest and
// syncs.
func (l *Log) recover(missing func(uint64) ([]byte, error)) error {
	l.state = l.cur.start
	for {
		if err := l.walk(); err != nil {
			return err
		}
		data, err := missing(l.state.Position)
		if err != nil {
			return err
		}
		if data == nil {
			break
		}
		f, err := DecodeFrame(data)
		if err != nil {
			return fmt.Errorf("journal: frame of record %d, kept by the store: %w", l.state.Position, err)
		}
		if err := l.Append(data, &f); err != nil {
			return err
		}
	}
	if err := l.refuseGap(); err != nil {
		return err
	}
	if err := l.cutTail(); err != nil {
		return err
	}
	return l.rewrite()
}

// walk follows the chain through the current segment as far as it goes.
func (l *Log) walk() error {
	s := l.cur
	r := frameReader{file: s.file, off: s.end, end: s.size}
	state := l.state
	for {
		f, data, err := r.follow(&state)
		if errors.Is(err, disk.ErrFailed) || errors.Is(err, ErrVersion) {
			return fmt.Errorf("journal: segment %d: %w", s.number, err)
		}
		if err != nil {
			return nil // the end, or what a torn write left
		}
		l.written(s, int64(len(data)), &f.Header)
	}
}

// refuseGap looks for whole frames of later records behind the end. They were written after what
// stands at the end was synced, so the disk lost it and cutting would lose more.
func (l *Log) refuseGap() error {
	if err := l.findLater(l.cur, l.cur.end); err != nil {
		return err
	}
	if l.spare == nil {
		return nil
	}
	return l.findLater(l.spare, 0)
}

func (l *Log) findLater(s *segment, from int64) error {
	r := frameReader{file: s.file, off: from, end: s.size}
	for r.off < r.end {
		window, err := r.window()
		if err != nil {
			return fmt.Errorf("journal: segment %d: %w", s.number, err)
		}
		i := bytes.Index(window, []byte(frameMagic))
		if i < 0 {
			r.off += int64(max(1, len(window)-len(frameMagic)+1))
			continue
		}
		r.off += int64(i)
		at := r.off
		if err := l.judge(&r, s.number); err != nil {
			return err
		}
		r.off = at + 1
	}
	return nil
}

// judge returns an error if a whole frame of this log's later records begins where r stands. The
// incarnation, which nobody who makes requests can choose, keeps a text in a record from posing
// as a frame.
func (l *Log) judge(r *frameReader, segment uint64) error {
	at := r.off
	head, err := r.bytes(MinFrame)
	if err != nil || len(head) < MinFrame || binary.BigEndian.Uint64(head[24:]) <= l.state.Position {
		return err
	}
	data, err := r.next()
	if err != nil {
		return nil
	}
	f, err := DecodeFrame(data)
	if err != nil || f.Incarnation != l.state.Incarnation {
		return nil
	}
	return malformed("segment %d, offset %d: records %d to %d were lost: they were durable, and later records stand behind them",
		segment, at, l.state.Position, f.Position-1)
}

// cutTail overwrites with zeros what a torn write left at the end.
func (l *Log) cutTail() error {
	s := l.cur
	r := frameReader{file: s.file, off: s.end, end: s.size}
	head, err := r.bytes(MinFrame)
	if err != nil {
		return fmt.Errorf("journal: segment %d: %w", s.number, err)
	}
	n, ok := FrameLength(head)
	if !ok || len(head) < MinFrame || binary.BigEndian.Uint64(head[24:]) < l.state.Position {
		return nil // nothing, or an earlier use's frame, which the next write covers
	}
	n = int(min(int64(n), s.size-s.end))
	if fault.Mutant("tail-not-cut") {
		s.end += int64(n)
		return nil
	}
	fault.Point("journal:cut")
	if _, err := s.file.WriteAt(make([]byte, n), s.end); err != nil {
		return fmt.Errorf("journal: cut segment %d: %w", s.number, err)
	}
	return nil
}

// rewrite writes the newest segment's bytes once more over themselves and syncs. A process whose
// sync failed leaves pages that reads still see, that the next sync takes for clean, and that a
// power cut takes away; written again they are durable.
func (l *Log) rewrite() error {
	s := l.cur
	buf := make([]byte, min(readAhead, s.end))
	for off := int64(0); off < s.end; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), s.end-off)]
		if _, err := s.file.ReadAt(buf, off); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("journal: segment %d: %w", s.number, err)
		}
		if _, err := s.file.WriteAt(buf, off); err != nil {
			return fmt.Errorf("journal: segment %d: %w", s.number, err)
		}
	}
	l.dirty = true
	if err := l.syncFolder(l.cfg.Live); err != nil {
		return err
	}
	return l.Sync()
}
