package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"
)

// simFile is an open file of a [Sim].
type simFile struct {
	sim    *Sim
	node   *node
	name   string
	life   int
	closed bool
}

// enter takes the disk's lock and tells whether the file may be used.
func (f *simFile) enter() error {
	f.sim.mu.Lock()
	switch {
	case f.sim.off || f.life != f.sim.life:
		return ErrPowerCut
	case f.closed:
		return fmt.Errorf("disk: %s: %w", f.name, fs.ErrClosed)
	}
	return nil
}

// ReadAt implements [File].
func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	err := f.enter()
	defer f.sim.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.live)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.live[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements [File].
func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.enter()
	defer f.sim.mu.Unlock()
	if err != nil {
		return 0, err
	}
	fault := f.sim.begin(OpWrite, f.name, len(p))
	if fault.Err == nil {
		fault.Written = len(p)
		if grow := off + int64(len(p)) - int64(len(f.node.live)); grow > f.sim.capacity-f.sim.used {
			fault = Fault{Err: fmt.Errorf("disk: write %s: %w", f.name, ErrNoSpace)}
		}
	}
	if fault.Written > 0 {
		f.sim.put(f.node, dataOp{off: off, data: append([]byte(nil), p[:fault.Written]...)})
	}
	return fault.Written, fault.Err
}

// put applies a write or a change of size to the running system and keeps it as not durable.
func (s *Sim) put(n *node, op dataOp) {
	before := len(n.live)
	n.live = op.apply(n.live)
	if n.links > 0 {
		s.used += int64(len(n.live) - before)
	}
	n.pending = append(n.pending, op)
}

// apply does the operation on content, which it may reuse.
func (op dataOp) apply(content []byte) []byte {
	if op.data == nil {
		return resize(content, op.off)
	}
	content = resize(content, max(int64(len(content)), op.off+int64(len(op.data))))
	copy(content[op.off:], op.data)
	return content
}

func resize(content []byte, size int64) []byte {
	old := int64(len(content))
	if size <= old {
		clear(content[size:]) // what comes back by growing again is zeros
		return content[:size]
	}
	if size <= int64(cap(content)) {
		return content[:size]
	}
	grown := make([]byte, size, size+size/4)
	copy(grown, content)
	return grown
}

// Sync implements [File].
func (f *simFile) Sync() error {
	err := f.enter()
	defer f.sim.mu.Unlock()
	if err != nil {
		return err
	}
	fault := f.sim.begin(OpSync, f.name, 0)
	switch {
	case errors.Is(fault.Err, ErrPowerCut):
		return fault.Err
	case fault.Err != nil:
		for i := range f.node.pending {
			f.node.pending[i].lost = true
		}
		return fmt.Errorf("%w: sync %s: %w", ErrFailed, f.name, fault.Err)
	}
	for _, op := range f.node.pending {
		if !op.lost {
			f.node.durable = op.apply(f.node.durable)
		}
	}
	f.node.pending = nil
	return nil
}

// Truncate implements [File].
func (f *simFile) Truncate(size int64) error {
	err := f.enter()
	defer f.sim.mu.Unlock()
	if err != nil {
		return err
	}
	fault := f.sim.begin(OpTruncate, f.name, 0)
	if fault.Err == nil || errors.Is(fault.Err, ErrPowerCut) {
		f.sim.put(f.node, dataOp{off: size})
	}
	return fault.Err
}

// Size implements [File].
func (f *simFile) Size() (int64, error) {
	err := f.enter()
	defer f.sim.mu.Unlock()
	return int64(len(f.node.live)), err
}

// Preallocate implements [File].
func (f *simFile) Preallocate(size int64) error {
	err := f.enter()
	defer f.sim.mu.Unlock()
	if err != nil {
		return err
	}
	grow := size - int64(len(f.node.live))
	if grow <= 0 {
		return nil
	}
	if fault := f.sim.begin(OpWrite, f.name, int(grow)); fault.Err != nil {
		return fault.Err
	}
	if grow > f.sim.capacity-f.sim.used {
		return fmt.Errorf("disk: preallocate %s: %w", f.name, ErrNoSpace)
	}
	f.sim.put(f.node, dataOp{off: size})
	return nil
}

// Close implements [File].
func (f *simFile) Close() error {
	f.sim.mu.Lock()
	defer f.sim.mu.Unlock()
	f.closed = true
	return nil
}

// powerCut leaves of the pending operations what rng decides: all, none, or each sector and each
// size by itself.
func (n *node) powerCut(rng *rand.Rand) {
	mode, sector := rng.IntN(4), int64(512)
	if rng.IntN(2) == 0 {
		sector = 4096
	}
	for _, op := range n.pending {
		switch {
		case op.lost || mode == 0:
		case mode == 1:
			n.durable = op.apply(n.durable)
		case op.data == nil:
			if rng.IntN(2) == 0 {
				n.durable = op.apply(n.durable)
			}
		default:
			n.durable = op.tear(rng, sector, n.durable)
		}
	}
	n.pending = nil
	n.live = append([]byte(nil), n.durable...)
}

// tear applies any subset of the sectors of a write.
func (op dataOp) tear(rng *rand.Rand, sector int64, content []byte) []byte {
	for at := int64(0); at < int64(len(op.data)); {
		end := min(int64(len(op.data)), ((op.off+at)/sector+1)*sector-op.off)
		if rng.IntN(2) == 0 {
			content = dataOp{off: op.off + at, data: op.data[at:end]}.apply(content)
		}
		at = end
	}
	return content
}

// simLock is a held lock.
type simLock struct{ file *simFile }

// Close implements [io.Closer]. A lock of a machine that was switched off is gone already.
func (l *simLock) Close() error {
	l.file.sim.mu.Lock()
	defer l.file.sim.mu.Unlock()
	if l.file.life == l.file.sim.life {
		delete(l.file.sim.locks, l.file.name)
	}
	return nil
}

// dirEntry implements [fs.DirEntry] and [fs.FileInfo] as far as a folder's listing needs.
type dirEntry struct {
	name string
	dir  bool
}

func (e dirEntry) Name() string               { return e.name }
func (e dirEntry) IsDir() bool                { return e.dir }
func (e dirEntry) Info() (fs.FileInfo, error) { return e, nil }
func (e dirEntry) Size() int64                { return 0 }
func (e dirEntry) ModTime() time.Time         { return time.Time{} }
func (e dirEntry) Sys() any                   { return nil }
func (e dirEntry) Type() fs.FileMode          { return e.Mode().Type() }

// Mode implements [fs.FileInfo].
func (e dirEntry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
