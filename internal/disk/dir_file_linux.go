package disk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// dirFile is a file of a real folder.
type dirFile struct{ f *os.File }

// ReadAt implements [File]. The end of the file is the bare [io.EOF].
func (f *dirFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = diskError(err)
	}
	return n, err
}

// WriteAt implements [File].
func (f *dirFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, diskError(err)
}

// Close implements [File].
func (f *dirFile) Close() error { return f.f.Close() }

// Sync implements [File]. Every failure is ErrFailed, also ENOSPC: a file system that promised
// room for a write and found none at the sync has dropped it.
func (f *dirFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.f.Fd()))
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) { // interrupted: nothing was tried
			return fmt.Errorf("%w: sync %s: %w", ErrFailed, f.f.Name(), err)
		}
	}
}

// Truncate implements [File].
func (f *dirFile) Truncate(size int64) error { return diskError(f.f.Truncate(size)) }

// Size implements [File].
func (f *dirFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, diskError(err)
	}
	return info.Size(), nil
}

// Preallocate implements [File]: fallocate for the room, then zeros written once, because an
// allocated but unwritten block costs a metadata write at the sync of its first use. Without room
// the file is as long as before.
func (f *dirFile) Preallocate(size int64) error {
	old, err := f.Size()
	if err != nil {
		return err
	}
	if err := f.allocate(old, size); err != nil {
		return errors.Join(fmt.Errorf("disk: preallocate %d bytes: %w", size, err), f.Truncate(old))
	}
	return nil
}

func (f *dirFile) allocate(old, size int64) error {
	err := unix.EINTR
	for err == unix.EINTR {
		err, _ = unix.Fallocate(int(f.f.Fd()), 0, 0, size).(unix.Errno)
	}
	if err != 0 && err != unix.EOPNOTSUPP && err != unix.ENOSYS {
		return diskError(err)
	}
	zeros := make([]byte, min(256<<10, max(0, size-old)))
	for off := old; off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
	}
	return nil
}
