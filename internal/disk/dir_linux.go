package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir returns the folder at path as an [FS], making it (0700) when there is none. A folder, and
// later each file, that others may read or write is refused with what to do: a store must not
// become public by an unlucky umask or an unpacked backup. Names can never lead out of the folder,
// not even by symbolic links.
func Dir(path string) (FS, error) {
	if err := makeFolder(path); err != nil {
		return nil, fmt.Errorf("disk: make %s: %w", path, diskError(err))
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("disk: open %s: %w", path, diskError(err))
	}
	self, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("disk: open %s: %w", path, diskError(err)), root.Close())
	}
	info, err := self.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("disk: %s: %w", path, diskError(err)), self.Close(), root.Close())
	}
	if err := private(path, info); err != nil {
		return nil, errors.Join(err, self.Close(), root.Close())
	}
	return &dir{path: path, root: root, self: self}, nil
}

// makeFolder makes the folder with just our rights, whatever the umask takes or leaves.
func makeFolder(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(path, 0o700)
}

// private returns an error that says what to do when others have rights to a file or folder.
func private(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("disk: %s is open to others (mode %04o): make sure nobody copied it, then run chmod -R go= %q",
			path, mode, path)
	}
	return nil
}

type dir struct {
	path string
	root *os.Root
	self *os.File // the folder itself, kept open to ask for its free space
}

// diskError gives the kernel's errors the meaning that callers tell apart.
func diskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, unix.EIO), errors.Is(err, unix.EROFS), errors.Is(err, unix.ENXIO),
		errors.Is(err, unix.ENODEV), errors.Is(err, unix.EUCLEAN), errors.Is(err, unix.ESTALE):
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return err
}

// Open implements [FS].
func (d *dir) Open(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, diskError(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(diskError(err), f.Close())
	}
	if err := private(d.path+"/"+name, info); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirFile{f: f}, nil
}

// Create implements [FS].
func (d *dir) Create(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return d.Open(name)
	}
	if err != nil {
		return nil, diskError(err)
	}
	if err := f.Chmod(0o600); err != nil { // the umask may have taken our own rights
		return nil, errors.Join(diskError(err), f.Close())
	}
	return &dirFile{f: f}, nil
}

// ReadFile implements [FS].
func (d *dir) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, name, limit)
	return data, errors.Join(err, f.Close())
}

func readAll(f File, name string, limit int64) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("disk: %s has %d bytes, at most %d are allowed", name, size, limit)
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n], nil
}

// Remove implements [FS].
func (d *dir) Remove(name string) error { return diskError(d.root.Remove(name)) }

// Rename implements [FS].
func (d *dir) Rename(oldname, newname string) error {
	return diskError(d.root.Rename(oldname, newname))
}

// MkdirAll implements [FS].
func (d *dir) MkdirAll(name string) error {
	if err := d.root.MkdirAll(name, 0o700); err != nil {
		return diskError(err)
	}
	for part := name; part != "." && part != ""; part = parentOf(part) {
		info, err := d.root.Stat(part)
		if err != nil {
			return diskError(err)
		}
		if err := private(d.path+"/"+part, info); err != nil {
			return err
		}
		if err := d.root.Chmod(part, 0o700); err != nil {
			return diskError(err)
		}
	}
	return nil
}

// SyncDir implements [FS].
func (d *dir) SyncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return diskError(err)
	}
	if err := unix.Fsync(int(f.Fd())); err != nil {
		return errors.Join(fmt.Errorf("%w: sync folder %s: %w", ErrFailed, name, err), f.Close())
	}
	return f.Close()
}

// ReadDir implements [FS].
func (d *dir) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, diskError(err)
	}
	entries, err := f.ReadDir(-1)
	if err := errors.Join(diskError(err), f.Close()); err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Lock implements [FS].
func (d *dir) Lock(name string) (io.Closer, error) {
	f, err := d.Create(name)
	if err != nil {
		return nil, err
	}
	file := f.(*dirFile)
	switch err := unix.Flock(int(file.f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("disk: %s/%s: %w", d.path, name, ErrLocked), file.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("disk: lock %s/%s: %w", d.path, name, diskError(err)), file.Close())
	}
	return file, nil
}

// Free implements [FS].
func (d *dir) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.self.Fd()), &st); err != nil {
		return 0, fmt.Errorf("disk: free space of %s: %w", d.path, diskError(err))
	}
	return int64(st.Bavail) * st.Bsize, nil
}
