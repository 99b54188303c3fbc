// Package disk is the file system as Haven needs it: few operations, each with a stated
// durability, so that a real directory and a simulated disk can stand behind the same code.
//
// It guarantees nothing that a file system does not: what was written is durable only after
// [File.Sync]; a created, renamed or removed name is durable only after [FS.SyncDir] of its
// folder. The simulated disk takes away everything that was not synced, which is how that
// sentence is tested. It never retries a failed sync: after one, what the file holds is unknown
// (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
package disk

import (
	"errors"
	"io"
	"io/fs"
)

// Errors that callers tell apart. Implementations wrap them; test with [errors.Is].
var (
	// ErrNoSpace says the disk is full. Nothing, or a part, of the data was written.
	ErrNoSpace = errors.New("no space left on the disk")
	// ErrFailed says the disk failed under a write or a sync (EIO and its kin). What the file
	// holds is unknown until it was read again by a new process.
	ErrFailed = errors.New("the disk failed")
	// ErrLocked says another process holds the lock.
	ErrLocked = errors.New("locked by another process")
)

// FS is one folder and what is below it. Names are slash-separated and relative to it. Files are
// created 0600 and folders 0700, whatever the umask says.
type FS interface {
	// Open opens an existing file for reading and writing.
	// It returns an error matching [fs.ErrNotExist] when there is none.
	Open(name string) (File, error)
	// Create opens a file for reading and writing, making it when there is none. The name is
	// durable only after SyncDir of its folder.
	Create(name string) (File, error)
	// ReadFile returns a whole file of at most limit bytes; a longer one is an error.
	ReadFile(name string, limit int64) ([]byte, error)
	// Remove removes a file; one that does not exist is an error matching [fs.ErrNotExist].
	Remove(name string) error
	// Rename replaces newname by oldname atomically: after a crash newname is the old file or
	// the new one, never a part.
	Rename(oldname, newname string) error
	// MkdirAll makes a folder and those above it.
	MkdirAll(name string) error
	// SyncDir makes the names in a folder durable; "." is the root folder.
	SyncDir(name string) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Lock takes an exclusive lock on a file, making it when there is none; it holds until the
	// Closer is closed or the process ends. ErrLocked when another process has it.
	Lock(name string) (io.Closer, error)
	// Free returns the bytes that may still be written before ErrNoSpace.
	Free() (int64, error)
}

// File is an open file. Its methods may be called from several goroutines, as [io.ReaderAt] and
// [io.WriterAt] say.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes what was written durable (fdatasync). After an error nothing may be assumed of
	// the file, and Sync must not be tried again: ErrFailed.
	Sync() error
	// Truncate sets the size.
	Truncate(size int64) error
	// Size returns the size.
	Size() (int64, error)
	// Preallocate makes sure the first size bytes exist and have room on the disk, filled with
	// zeros where nothing was written, so that later writes into them cannot meet ErrNoSpace and
	// a Sync of them changes no metadata.
	Preallocate(size int64) error
}
