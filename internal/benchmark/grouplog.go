package benchmark

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// recordSize is how long a record of the durable opponent is.
const recordSize = 300

// groupLogSize is the length of its file, written from the beginning again when it is full.
const groupLogSize = 16 << 20

// groupLog writes records to a preallocated file and syncs it, many records at a time: while one
// batch is being synced the next collects. The first of a batch leads it, so that a lone caller
// hands nothing to another goroutine.
type groupLog struct {
	file *os.File

	mu   sync.Mutex
	open *group

	disk sync.Mutex // held by the leader that writes
	end  int64
}

type group struct {
	records []byte
	led     bool
	done    chan struct{}
	err     error
}

// openGroupLog makes the file. Its blocks are written once, so that a sync moves no metadata.
func openGroupLog(name string) (*groupLog, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for range groupLogSize / len(zeros) {
		if _, err := f.Write(zeros); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &groupLog{file: f, open: newGroup()}, nil
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// commit returns when the record is durable.
func (l *groupLog) commit(record []byte) error {
	l.mu.Lock()
	g := l.open
	g.records = append(g.records, record...)
	if g.led {
		l.mu.Unlock()
		<-g.done
		return g.err
	}
	g.led = true
	l.mu.Unlock()

	l.disk.Lock()
	l.mu.Lock()
	l.open = newGroup()
	l.mu.Unlock()
	g.err = l.write(g.records)
	l.disk.Unlock()
	close(g.done)
	return g.err
}

func (l *groupLog) write(records []byte) error {
	if l.end+int64(len(records)) > groupLogSize {
		l.end = 0
	}
	if _, err := l.file.WriteAt(records, l.end); err != nil {
		return err
	}
	l.end += int64(len(records))
	return unix.Fdatasync(int(l.file.Fd()))
}

func (l *groupLog) close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
