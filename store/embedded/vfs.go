package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/internal/fault"
)

// fileSystem puts SQLite on a disk.FS, in production as under test. One connection uses it, so
// SQLite's locks need no more than bookkeeping: the folder's lock keeps other processes out.
type fileSystem struct {
	disk disk.FS
	wal  int64 // bytes to allocate for the write-ahead log

	mu     sync.Mutex
	failed error // the first failure: SQLite may forget it, the store must not
}

func (v *fileSystem) fail(err error) error {
	if errors.Is(err, disk.ErrFailed) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.failed == nil {
			v.failed = err
		}
	}
	return err
}

func (v *fileSystem) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failed
}

// Open implements [vfs.VFS]. A file without a name is temporary: it stays in memory.
func (v *fileSystem) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" {
		return &vfsutil.SliceFile{}, flags | vfs.OPEN_MEMORY, nil
	}
	f, err := v.disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) && flags&vfs.OPEN_CREATE != 0 {
		f, err = v.disk.Create(name)
	}
	if errors.Is(err, disk.ErrNoSpace) {
		return nil, flags, vfs.SystemError(err, sqlite3.FULL)
	}
	if err != nil {
		return nil, flags, vfs.SystemError(v.fail(err), sqlite3.CANTOPEN)
	}
	if flags&vfs.OPEN_WAL != 0 {
		// Zeros are an empty log. Without room it grows as it is written.
		if err := f.Preallocate(v.wal); err != nil && !errors.Is(err, disk.ErrNoSpace) {
			return nil, flags, vfs.SystemError(v.fail(errors.Join(err, f.Close())), sqlite3.CANTOPEN)
		}
	}
	opened := &databaseFile{fs: v, file: f}
	if flags&vfs.OPEN_WAL != 0 {
		opened.run = make([]byte, 0, runLength)
	}
	return opened, flags, nil
}

// Delete implements [vfs.VFS].
func (v *fileSystem) Delete(name string, syncDir bool) error {
	err := v.disk.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return sqlite3.IOERR_DELETE_NOENT
	}
	if err != nil {
		return vfs.SystemError(v.fail(err), sqlite3.IOERR_DELETE)
	}
	if syncDir {
		return v.syncDir()
	}
	return nil
}

func (v *fileSystem) syncDir() error {
	if fault.Mutant("skip-directory-sync") {
		return nil
	}
	return vfs.SystemError(v.fail(v.disk.SyncDir(".")), sqlite3.IOERR_DIR_FSYNC)
}

// Access implements [vfs.VFS].
func (v *fileSystem) Access(name string, _ vfs.AccessFlag) (bool, error) {
	f, err := v.disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, vfs.SystemError(v.fail(err), sqlite3.IOERR_ACCESS)
	}
	return true, f.Close()
}

// FullPathname implements [vfs.VFS].
func (v *fileSystem) FullPathname(name string) (string, error) { return name, nil }

// databaseFile is a file of SQLite's.
type databaseFile struct {
	fs    *fileSystem
	file  disk.File
	named bool // its name is known to be durable
	lock  vfs.LockLevel

	// run collects writes that follow each other, to be one write: SQLite appends to its log in
	// small pieces, some hundred for a commit. They reach the file before anything is read, and
	// before the sync, which tells what went wrong with them. Without capacity nothing is
	// collected.
	run   []byte
	runAt int64
}

// runLength is how much a run collects, in bytes.
const runLength = 256 << 10

// flush writes the run.
func (f *databaseFile) flush() error {
	if len(f.run) == 0 {
		return nil
	}
	run := f.run
	f.run = f.run[:0]
	_, err := f.write(run, f.runAt)
	return err
}

// ReadAt implements [vfs.File]. The end of the file must be the bare io.EOF.
func (f *databaseFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	n, err := f.file.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = vfs.SystemError(f.fs.fail(err), sqlite3.IOERR_READ)
	}
	return n, err
}

// WriteAt implements [vfs.File].
func (f *databaseFile) WriteAt(p []byte, off int64) (int, error) {
	if f.runAt+int64(len(f.run)) != off || len(f.run)+len(p) > cap(f.run) {
		if err := f.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > cap(f.run) {
		return f.write(p, off)
	}
	if len(f.run) == 0 {
		f.runAt = off
	}
	f.run = append(f.run, p...)
	return len(p), nil
}

func (f *databaseFile) write(p []byte, off int64) (int, error) {
	n, err := f.file.WriteAt(p, off)
	if errors.Is(err, disk.ErrNoSpace) {
		return n, vfs.SystemError(err, sqlite3.FULL)
	}
	return n, vfs.SystemError(f.fs.fail(err), sqlite3.IOERR_WRITE)
}

// Truncate implements [vfs.File].
func (f *databaseFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	return vfs.SystemError(f.fs.fail(f.file.Truncate(size)), sqlite3.IOERR_TRUNCATE)
}

// Sync implements [vfs.File]. The first sync makes the file's name durable too, also of a file that
// was found: a process killed before may have made it and not come as far.
func (f *databaseFile) Sync(vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	fault.Point("embedded:before-sync")
	err := f.file.Sync()
	if err != nil && fault.Mutant("retry-failed-sync") {
		err = f.file.Sync()
	}
	if err != nil {
		return vfs.SystemError(f.fs.fail(fmt.Errorf("database: %w", err)), sqlite3.IOERR_FSYNC)
	}
	fault.Point("embedded:after-sync")
	if !f.named {
		if err := f.fs.syncDir(); err != nil {
			return err
		}
		f.named = true
	}
	return nil
}

// Size implements [vfs.File].
func (f *databaseFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	size, err := f.file.Size()
	return size, vfs.SystemError(f.fs.fail(err), sqlite3.IOERR_FSTAT)
}

// Close implements [vfs.File].
func (f *databaseFile) Close() error { return errors.Join(f.flush(), f.file.Close()) }

// Lock implements [vfs.File].
func (f *databaseFile) Lock(lock vfs.LockLevel) error {
	f.lock = max(f.lock, lock)
	return nil
}

// Unlock implements [vfs.File].
func (f *databaseFile) Unlock(lock vfs.LockLevel) error {
	f.lock = min(f.lock, lock)
	return nil
}

// CheckReservedLock implements [vfs.File].
func (f *databaseFile) CheckReservedLock() (bool, error) { return f.lock >= vfs.LOCK_RESERVED, nil }

// LockState implements [vfs.FileLockState].
func (f *databaseFile) LockState() vfs.LockLevel { return f.lock }

// SectorSize implements [vfs.File].
func (f *databaseFile) SectorSize() int { return 4096 }

// DeviceCharacteristics implements [vfs.File]: a write that is torn leaves the bytes beside it
// alone. Nothing else is promised, least of all order.
func (f *databaseFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE | vfs.IOCAP_SUBPAGE_READ
}
