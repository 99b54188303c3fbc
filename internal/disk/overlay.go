package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Overlay is an [FS] over another, to try out on it what may end in a refusal: every change stays
// in memory, and what is below is only read. Close gives all of it up. It is for one goroutine,
// while nobody changes what is below.
//
// It knows no locks, and syncs nothing.
type Overlay struct {
	below   FS
	names   map[string]*layer // of what was opened, made or removed here; nil: removed
	folders map[string]bool   // made here
	opened  []File            // below
}

// layer is a file: what was written here, over what is below.
type layer struct {
	below File             // nil: there is none
	kept  int64            // how many bytes of it still count
	pages map[int64][]byte // written here, by their number
	size  int64
}

const overlayPage = 4096

// NewOverlay returns an overlay without changes.
func NewOverlay(below FS) *Overlay {
	return &Overlay{below: below, names: map[string]*layer{}, folders: map[string]bool{}}
}

// Close closes the files below and forgets every change.
func (o *Overlay) Close() error {
	var errs []error
	for _, f := range o.opened {
		errs = append(errs, f.Close())
	}
	o.opened, o.names = nil, map[string]*layer{}
	return errors.Join(errs...)
}

// Open implements [FS].
func (o *Overlay) Open(name string) (File, error) {
	if l, known := o.names[name]; known {
		if l == nil {
			return nil, fmt.Errorf("disk: %s: %w", name, fs.ErrNotExist)
		}
		return overlayFile{l}, nil
	}
	f, err := o.below.Open(name)
	if err != nil {
		return nil, err
	}
	o.opened = append(o.opened, f)
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	l := &layer{below: f, kept: size, size: size, pages: map[int64][]byte{}}
	o.names[name] = l
	return overlayFile{l}, nil
}

// Create implements [FS].
func (o *Overlay) Create(name string) (File, error) {
	if f, err := o.Open(name); !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if !o.isFolder(parentOf(name)) {
		return nil, fmt.Errorf("disk: folder of %s: %w", name, fs.ErrNotExist)
	}
	l := &layer{pages: map[int64][]byte{}}
	o.names[name] = l
	return overlayFile{l}, nil
}

func (o *Overlay) isFolder(name string) bool {
	if o.folders[name] {
		return true
	}
	_, err := o.below.ReadDir(name)
	return err == nil
}

// ReadFile implements [FS].
func (o *Overlay) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := o.Open(name)
	if err != nil {
		return nil, err
	}
	return readAll(f, name, limit)
}

// Remove implements [FS].
func (o *Overlay) Remove(name string) error {
	if _, err := o.Open(name); err != nil {
		return err
	}
	o.names[name] = nil
	return nil
}

// Rename implements [FS].
func (o *Overlay) Rename(oldname, newname string) error {
	if _, err := o.Open(oldname); err != nil {
		return err
	}
	l := o.names[oldname]
	o.names[oldname] = nil
	o.names[newname] = l
	return nil
}

// MkdirAll implements [FS].
func (o *Overlay) MkdirAll(name string) error {
	parts := strings.Split(name, "/")
	for i := range parts {
		if path := strings.Join(parts[:i+1], "/"); !o.isFolder(path) {
			if _, err := o.Open(path); !errors.Is(err, fs.ErrNotExist) {
				return errors.Join(err, fmt.Errorf("disk: %s is a file: %w", path, fs.ErrExist))
			}
			o.folders[path] = true
		}
	}
	return nil
}

// SyncDir implements [FS]: it does nothing.
func (o *Overlay) SyncDir(string) error { return nil }

// ReadDir implements [FS].
func (o *Overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := o.below.ReadDir(name)
	if err != nil && !(o.folders[name] && errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	inside := func(path string) string { return strings.TrimPrefix(name+"/"+path, "./") }
	listed := map[string]bool{}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		l, known := o.names[inside(e.Name())]
		listed[inside(e.Name())] = true
		return known && l == nil
	})
	add := func(path string, dir bool) {
		if parentOf(path) == name && !listed[path] {
			entries = append(entries, dirEntry{name: path[strings.LastIndexByte(path, '/')+1:], dir: dir})
		}
	}
	for path, l := range o.names {
		if l != nil {
			add(path, false)
		}
	}
	for path := range o.folders {
		add(path, true)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Lock implements [FS]: an overlay has no locks.
func (o *Overlay) Lock(string) (io.Closer, error) { return nil, errors.ErrUnsupported }

// Free implements [FS]: what is free below.
func (o *Overlay) Free() (int64, error) { return o.below.Free() }

// overlayFile is an open file of an [Overlay].
type overlayFile struct{ *layer }

// page fills p with what stands at page number n, as far as p reaches.
func (l *layer) page(n int64, p []byte) error {
	if page := l.pages[n]; page != nil {
		copy(p, page)
		return nil
	}
	clear(p)
	rest := min(int64(len(p)), l.kept-n*overlayPage)
	if rest <= 0 {
		return nil
	}
	if _, err := l.below.ReadAt(p[:rest], n*overlayPage); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// ReadAt implements [File].
func (f overlayFile) ReadAt(p []byte, off int64) (int, error) {
	want := len(p)
	p = p[:max(0, min(int64(want), f.size-off))]
	var page [overlayPage]byte
	for done := 0; done < len(p); {
		n, from := (off+int64(done))/overlayPage, (off+int64(done))%overlayPage
		if err := f.page(n, page[:]); err != nil {
			return done, err
		}
		done += copy(p[done:], page[from:])
	}
	if len(p) < want {
		return len(p), io.EOF
	}
	return want, nil
}

// WriteAt implements [File]. What is written as it is below takes no memory.
func (f overlayFile) WriteAt(p []byte, off int64) (int, error) {
	var before, page [overlayPage]byte
	for done := 0; done < len(p); {
		n, from := (off+int64(done))/overlayPage, (off+int64(done))%overlayPage
		if err := f.page(n, before[:]); err != nil {
			return done, err
		}
		page = before
		done += copy(page[from:], p[done:])
		if !bytes.Equal(page[:], before[:]) {
			f.pages[n] = bytes.Clone(page[:])
		}
	}
	if len(p) > 0 {
		f.size = max(f.size, off+int64(len(p)))
	}
	return len(p), nil
}

// Sync implements [File]: it does nothing.
func (f overlayFile) Sync() error { return nil }

// Truncate implements [File].
func (f overlayFile) Truncate(size int64) error {
	if size < f.size {
		f.kept = min(f.kept, size)
		for n, page := range f.pages {
			if rest := size - n*overlayPage; rest <= 0 {
				delete(f.pages, n)
			} else if rest < overlayPage {
				clear(page[rest:])
			}
		}
	}
	f.size = size
	return nil
}

// Size implements [File].
func (f overlayFile) Size() (int64, error) { return f.size, nil }

// Preallocate implements [File].
func (f overlayFile) Preallocate(size int64) error {
	f.size = max(f.size, size)
	return nil
}

// Close implements [File]. What is below is closed with the overlay.
func (f overlayFile) Close() error { return nil }
