package journal

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/haven-health/haven/internal/fault"
)

// spawn starts a background pass.
func (l *Log) spawn() {
	if !l.ready {
		return
	}
	if l.cfg.Spawn != nil {
		l.cfg.Spawn(l.pass)
		return
	}
	go l.pass()
}

// pass copies full segments to the archive, makes spares of their files, and sees that there is a
// spare. One pass runs at a time: another returns at once, and its work is found by the next.
func (l *Log) pass() {
	if !l.archive.TryLock() {
		return
	}
	defer l.archive.Unlock()
	var err error
	for s := l.full(); s != nil && err == nil; s = l.full() {
		if err = l.archiveSegment(s); err == nil {
			err = l.recycle(s)
		}
	}
	if err == nil {
		err = l.ensureSpare()
	}
	_ = l.fail(err)
	l.mu.Lock()
	l.lag = err
	l.mu.Unlock()
}

// full returns the oldest segment that is full, or nil when there is none or the log is closed.
func (l *Log) full() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.failed != nil || len(l.live) < 2 {
		return nil
	}
	return l.live[0]
}

func (l *Log) ensureSpare() error {
	l.prepare.Lock()
	defer l.prepare.Unlock()
	l.mu.Lock()
	stop := l.closed || l.failed != nil
	l.mu.Unlock()
	if stop {
		return nil
	}
	return l.makeSpare()
}

// archiveSegment copies a full segment, exactly its header and frames, to the archive: the copy is
// checked, synced, named, its name synced. Only then is it archived.
func (l *Log) archiveSegment(s *segment) error {
	a := archivedSegment{number: s.number, position: s.start.Position}
	l.mu.Lock()
	next := l.live[1].start
	done := len(l.archived) > 0 && l.archived[len(l.archived)-1].number >= s.number
	l.mu.Unlock()
	if done {
		return nil
	}
	if err := checkSegment(s, next.Mark); err != nil {
		return fmt.Errorf("journal: not archived, and kept: segment %d: %w", s.number, err)
	}
	name := l.archiveName(a)
	fault.Point("journal:archive")
	if err := l.copyTo(s, name+".tmp"); err != nil {
		_ = l.cfg.FS.Remove(name + ".tmp") // gives its space back; the error that matters is err
		return fmt.Errorf("journal: archive segment %d: %w", s.number, err)
	}
	fault.Point("journal:archive-copied")
	if err := l.cfg.FS.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("journal: archive segment %d: %w", s.number, err)
	}
	if err := l.syncFolder(l.cfg.Archive); err != nil {
		return err
	}
	fault.Point("journal:archived")
	l.mu.Lock()
	l.archived = append(l.archived, a)
	l.mu.Unlock()
	return nil
}

// checkSegment walks a full segment up to where the next begins.
func checkSegment(s *segment, end Mark) error {
	state, err := readSegmentHeader(s.file, s.number)
	if err != nil {
		return err
	}
	r := frameReader{file: s.file, off: segmentHeader, end: s.end}
	for err == nil {
		_, _, err = r.follow(&state)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if state.Mark != end {
		return malformed("it ends at record %d, the next segment begins at record %d", state.Position, end.Position)
	}
	return nil
}

// copyTo writes the segment's header and frames to a file and syncs it.
func (l *Log) copyTo(s *segment, name string) (err error) {
	if err := l.cfg.FS.Remove(name); err != nil && !notExist(err) {
		return err
	}
	f, err := l.cfg.FS.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, min(readAhead, s.end))
	for off := int64(0); off < s.end; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), s.end-off)]
		if _, err := s.file.ReadAt(buf, off); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := f.WriteAt(buf, off); err != nil {
			return err
		}
	}
	return f.Sync()
}

// recycle makes an archived segment the spare, or removes it when there is one already or someone
// still reads it.
func (l *Log) recycle(s *segment) error {
	l.prepare.Lock()
	defer l.prepare.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.liveName(s.number)
	fault.Point("journal:recycle")
	if l.spare != nil || s.readers > 0 || s.size != l.cfg.SegmentSize {
		if err := l.cfg.FS.Remove(old); err != nil {
			return fmt.Errorf("journal: remove segment %d: %w", s.number, err)
		}
		l.live = l.live[1:]
		return s.file.Close()
	}
	number := l.cur.number + 1
	if err := l.cfg.FS.Rename(old, l.liveName(number)); err != nil {
		return fmt.Errorf("journal: recycle segment %d: %w", s.number, err)
	}
	l.live = l.live[1:]
	if err := l.syncFolder(l.cfg.Live); err != nil {
		return errors.Join(err, s.file.Close())
	}
	l.spare = &segment{number: number, file: s.file, size: s.size}
	fault.Point("journal:recycled")
	return nil
}

// listArchive reads the archive's names and removes copies that were never finished. It leaves alone
// what is not ours.
func (l *Log) listArchive() error {
	entries, err := l.cfg.FS.ReadDir(l.cfg.Archive)
	if err != nil {
		return fmt.Errorf("journal: archive: %w", err)
	}
	for _, e := range entries {
		name, unfinished := strings.CutSuffix(e.Name(), ".tmp")
		var a archivedSegment
		if n, err := fmt.Sscanf(name, "%016x-%016x.seg", &a.number, &a.position); n != 2 || err != nil ||
			l.archiveName(a) != l.cfg.Archive+"/"+name || e.IsDir() {
			continue
		}
		if !unfinished {
			l.archived = append(l.archived, a)
		} else if err := l.cfg.FS.Remove(l.archiveName(a) + ".tmp"); err != nil {
			return fmt.Errorf("journal: archive: %w", err)
		}
	}
	// What a killed process renamed last may not be durable yet, and its source is about to go.
	return l.syncFolder(l.cfg.Archive)
}
