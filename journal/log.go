package journal

import (
	"errors"
	"fmt"
	"sync"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/internal/fault"
)

// DefaultSegment is the size of a segment unless configured, in bytes.
const DefaultSegment = 16 << 20

// LogConfig tells where a log lies.
type LogConfig struct {
	// FS is the disk. Required.
	FS disk.FS
	// Live and Archive are the folders of the segments in use and of those that are full and
	// copied. Required, different.
	Live, Archive string
	// SegmentSize is the size of a segment file in bytes; 0 is DefaultSegment. A frame that is
	// longer gets a longer segment.
	SegmentSize int64
	// Spawn runs background work: preparing, archiving and recycling segments. nil is a
	// goroutine for each; a test passes its own to decide when it happens.
	Spawn func(func())
}

// Log is the journal of one store on a disk: segments in use, and an archive. Append, Reserve and
// Sync are for one goroutine; the others may be called from any.
//
// A frame is durable when Sync returned after its Append, not earlier. A segment is synced before
// the next one gets its first frame, so only the newest can end torn. After a failed sync the log
// is dead: every call returns an error matching disk.ErrFailed.
type Log struct {
	cfg LogConfig

	prepare sync.Mutex // held to make or take the spare segment; taken before mu
	archive sync.Mutex // held by the one background pass

	cur   *segment // the one in use: changed by the appending goroutine, under mu
	ready bool     // opened: background work may begin

	mu       sync.Mutex
	state    State  // behind the last frame written
	synced   uint64 // records known durable
	dirty    bool   // something was written and not synced
	live     []*segment
	archived []archivedSegment
	spare    *segment
	failed   error // sticky
	lag      error // why the last background pass did not finish
	closed   bool
}

// segment is a file of the live folder, in use or spare.
type segment struct {
	number  uint64
	start   State
	file    disk.File
	size    int64 // allocated
	end     int64 // of its frames
	readers int   // who read it: then it must not be recycled
	marks   []offsetMark
}

// offsetMark says where in a segment a record stands, to begin reading near it.
type offsetMark struct {
	position uint64
	offset   int64
}

// markEvery is the distance of marks in bytes.
const markEvery = 256 << 10

// archivedSegment is a file of the archive.
type archivedSegment struct {
	number   uint64
	position uint64 // records before it
}

func (l *Log) liveName(n uint64) string { return fmt.Sprintf("%s/%016x.seg", l.cfg.Live, n) }

func (l *Log) archiveName(a archivedSegment) string {
	return fmt.Sprintf("%s/%016x-%016x.seg", l.cfg.Archive, a.number, a.position)
}

// State returns where the log ends.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Synced returns how many records are known to be durable here.
func (l *Log) Synced() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced
}

// Err returns why the log is dead, or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Lag returns why full segments wait to be archived, or nil. Nothing is lost meanwhile; they are
// tried again when the next segment fills.
func (l *Log) Lag() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lag
}

// Close stops background work and closes the files. It does not sync.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.archive.Lock() // a pass under way sees closed and ends
	defer l.archive.Unlock()
	l.prepare.Lock()
	defer l.prepare.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range l.live {
		errs = append(errs, s.file.Close())
	}
	if l.spare != nil {
		errs = append(errs, l.spare.file.Close())
	}
	l.live, l.spare = nil, nil
	if l.failed == nil {
		l.failed = errors.New("journal: log closed")
	}
	return errors.Join(errs...)
}

// fail remembers a failure of the disk: from then on what it holds is unknown.
func (l *Log) fail(err error) error {
	if err != nil && errors.Is(err, disk.ErrFailed) {
		l.mu.Lock()
		if l.failed == nil {
			l.failed = err
		}
		l.mu.Unlock()
	}
	return err
}

// Append writes a frame, whose decoded form is f, behind the last. It is durable after Sync.
// Without room it returns an error matching disk.ErrNoSpace and the log is as before. A frame that
// does not continue the log is ErrMalformed.
func (l *Log) Append(data []byte, f *Frame) error {
	if err := l.Reserve(len(data)); err != nil {
		return err
	}
	if !l.state.precedes(&f.Header) {
		return malformed("frame at record %d does not continue the log at record %d", f.Position, l.state.Position)
	}
	s := l.cur
	fault.Point("journal:before-write")
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return l.fail(fmt.Errorf("journal: write segment %d: %w", s.number, err))
	}
	fault.Point("journal:after-write")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written(s, int64(len(data)), &f.Header)
	return nil
}

// written moves the log behind a frame of n bytes that stands at the end of s.
func (l *Log) written(s *segment, n int64, h *Header) {
	if len(s.marks) == 0 || s.end-s.marks[len(s.marks)-1].offset >= markEvery {
		s.marks = append(s.marks, offsetMark{position: h.Position, offset: s.end})
	}
	s.end += n
	l.state.advance(h)
	l.dirty = true
}

// Sync makes all that was appended durable.
func (l *Log) Sync() error {
	if err := l.Err(); err != nil {
		return err
	}
	if !l.dirty {
		return nil
	}
	fault.Point("journal:before-sync")
	err := l.cur.file.Sync()
	if err != nil && fault.Mutant("retry-failed-sync") {
		err = l.cur.file.Sync()
	}
	if err != nil {
		return l.fail(fmt.Errorf("journal: segment %d: %w", l.cur.number, err))
	}
	fault.Point("journal:after-sync")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced, l.dirty = l.state.Position, false
	return nil
}

// Reserve makes room for a frame of n bytes: an Append of it will not change which segment is in
// use, nor need space that was not allocated. Errors match disk.ErrNoSpace or disk.ErrFailed.
func (l *Log) Reserve(n int) error {
	if err := l.Err(); err != nil {
		return err
	}
	if s := l.cur; s.end+int64(n) <= s.size {
		return nil
	}
	if err := l.Sync(); err != nil {
		return err
	}
	return l.fail(l.roll(int64(n)))
}

// roll begins the next segment, with room for n bytes of frames. The current one is synced. The
// header is durable before the segment is used: from then on the one before may be archived and
// its file used again, and this header is all that leads from the archive to the new frames.
func (l *Log) roll(n int64) error {
	l.prepare.Lock()
	defer l.prepare.Unlock()
	if err := l.makeSpare(); err != nil {
		return err
	}
	s := l.spare
	if err := s.allocate(segmentHeader + n); err != nil {
		return err
	}
	fault.Point("journal:before-header")
	if _, err := s.file.WriteAt(appendSegmentHeader(nil, s.number, &l.state), 0); err != nil {
		return fmt.Errorf("journal: begin segment %d: %w", s.number, err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("journal: begin segment %d: %w", s.number, err)
	}
	fault.Point("journal:after-header")
	l.mu.Lock()
	s.start, s.end, s.marks = l.state, segmentHeader, nil
	l.live, l.cur, l.spare = append(l.live, s), s, nil
	l.mu.Unlock()
	l.spawn()
	return nil
}

// allocate makes the segment at least size bytes long.
func (s *segment) allocate(size int64) error {
	if s.size >= size {
		return nil
	}
	if err := s.file.Preallocate(size); err != nil {
		return fmt.Errorf("journal: allocate segment %d: %w", s.number, err)
	}
	s.size = size
	return nil
}

// makeSpare prepares the next segment's file, empty but allocated and with a durable name, if
// there is none. The prepare lock is held.
func (l *Log) makeSpare() error {
	if l.spare != nil {
		return nil
	}
	s := &segment{number: l.cur.number + 1}
	f, err := l.cfg.FS.Create(l.liveName(s.number))
	if err != nil {
		return fmt.Errorf("journal: make segment %d: %w", s.number, err)
	}
	s.file = f
	if err = s.allocate(l.cfg.SegmentSize); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.syncFolder(l.cfg.Live)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.mu.Lock()
	l.spare = s
	l.mu.Unlock()
	return nil
}

func (l *Log) syncFolder(name string) error {
	if fault.Mutant("skip-directory-sync") {
		return nil
	}
	if err := l.cfg.FS.SyncDir(name); err != nil {
		return fmt.Errorf("journal: folder %s: %w", name, err)
	}
	return nil
}
