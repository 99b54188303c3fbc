package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
)

// ErrPowerCut is what every operation of a [Sim] returns after its power was cut. It matches
// [ErrFailed].
var ErrPowerCut = fmt.Errorf("%w: the power is cut", ErrFailed)

// OpKind names the operations of a [Sim] that change something or can fail.
type OpKind string

// The kinds of operations.
const (
	OpCreate   OpKind = "create"
	OpWrite    OpKind = "write" // also preallocation
	OpSync     OpKind = "sync"
	OpTruncate OpKind = "truncate"
	OpRemove   OpKind = "remove"
	OpRename   OpKind = "rename"
	OpSyncDir  OpKind = "syncdir"
	OpMkdir    OpKind = "mkdir"
)

// Op is one operation about to happen. N counts them all, from 1.
type Op struct {
	N    int64
	Kind OpKind
	Name string
	Size int // bytes of a write
}

// Fault is what a fault hook makes of an operation. The zero value lets it pass.
type Fault struct {
	// Err is returned to the caller: wrap [ErrNoSpace] or [ErrFailed].
	Err error
	// Written is how many bytes of a failing write are written nevertheless.
	Written int
}

// Sim is a simulated disk. It keeps apart what is durable from what is only written, and takes
// the latter away when told: see [Sim.PowerCut]. A sync that a fault hook fails loses what it
// should have made durable, for good, though reads still see it and a second sync succeeds: that is
// what Linux does, and why a sync must never be retried.
//
// Its order of events depends only on its callers, so that a seed repeats a run. It is safe for
// several goroutines.
type Sim struct {
	mu       sync.Mutex
	nodes    int64            // for node.id
	live     map[string]*node // every name, as the running system sees it
	durable  map[string]*node // every name, as on the platter
	pending  []nameOp         // changes of names not yet synced, in order
	locks    map[string]bool
	capacity int64
	used     int64
	ops      int64
	cutAt    int64
	off      bool
	hook     func(Op) Fault
	life     int // counts power cuts; handles of an earlier life are dead
}

// node is one file or folder, whatever its names.
type node struct {
	id      int64
	dir     bool
	links   int
	live    []byte // as reads see it
	durable []byte // as on the platter
	pending []dataOp
}

// dataOp is a write, or with nil data a change of the size.
type dataOp struct {
	off  int64
	data []byte
	lost bool // a failed sync dropped it
}

// nameOp puts a node under a name, or with nil node removes the name; from is the old name of a
// rename.
type nameOp struct {
	name string
	from string
	node *node
}

// NewSim returns an empty disk without faults and with room for [math.MaxInt64] bytes.
func NewSim() *Sim {
	root := &node{dir: true, links: 1}
	return &Sim{
		live: map[string]*node{".": root}, durable: map[string]*node{".": root},
		locks: map[string]bool{}, capacity: math.MaxInt64,
	}
}

// SetCapacity sets how many bytes all files together may hold.
func (s *Sim) SetCapacity(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = bytes
}

// Used returns how many bytes all files together hold.
func (s *Sim) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// SetHook has every operation asked of hook first; nil asks none. The hook must not use the disk.
func (s *Sim) SetHook(hook func(Op) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Ops returns how many operations there were.
func (s *Sim) Ops() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// CutPowerAt has the power fail during operation number n: that operation reaches no further than
// any unsynced one, and it and all later ones return [ErrPowerCut] until [Sim.PowerCut].
func (s *Sim) CutPowerAt(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutAt = n
}

// begin counts an operation and tells what becomes of it. It is called with the lock held.
func (s *Sim) begin(kind OpKind, name string, size int) Fault {
	if s.off {
		return Fault{Err: ErrPowerCut}
	}
	s.ops++
	if s.ops == s.cutAt {
		s.off = true
		return Fault{Err: ErrPowerCut, Written: size}
	}
	if s.hook == nil {
		return Fault{}
	}
	fault := s.hook(Op{N: s.ops, Kind: kind, Name: name, Size: size})
	fault.Written = min(fault.Written, size)
	return fault
}

// lookup returns the node of a name, whose folder must exist.
func (s *Sim) lookup(name string) (*node, error) {
	if s.off {
		return nil, ErrPowerCut
	}
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("disk: %q: %w", name, fs.ErrInvalid)
	}
	n, ok := s.live[name]
	if !ok {
		return nil, fmt.Errorf("disk: %s: %w", name, fs.ErrNotExist)
	}
	return n, nil
}

// Open implements [FS].
func (s *Sim) Open(name string) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open(name)
}

func (s *Sim) open(name string) (File, error) {
	n, err := s.lookup(name)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, fmt.Errorf("disk: %s is a folder: %w", name, fs.ErrInvalid)
	}
	return &simFile{sim: s, node: n, name: name, life: s.life}, nil
}

// Create implements [FS].
func (s *Sim) Create(name string) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, err := s.open(name); !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if dir, err := s.lookup(parentOf(name)); err != nil || !dir.dir {
		return nil, fmt.Errorf("disk: folder of %s: %w", name, fs.ErrNotExist)
	}
	fault := s.begin(OpCreate, name, 0)
	if fault.Err == nil || errors.Is(fault.Err, ErrPowerCut) {
		s.nodes++
		s.apply(nameOp{name: name, node: &node{id: s.nodes}})
	}
	if fault.Err != nil {
		return nil, fault.Err
	}
	return s.open(name)
}

// apply changes a name in the running system and remembers that it is not durable.
func (s *Sim) apply(op nameOp) {
	if op.from != "" {
		delete(s.live, op.from)
	} else if op.node != nil {
		op.node.links++
	}
	if old := s.live[op.name]; old != nil && old != op.node {
		if old.links--; old.links == 0 {
			s.used -= int64(len(old.live))
		}
	}
	if op.node == nil {
		delete(s.live, op.name)
	} else {
		s.live[op.name] = op.node
	}
	s.pending = append(s.pending, op)
}

// ReadFile implements [FS].
func (s *Sim) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("disk: %s has %d bytes, at most %d are allowed", name, size, limit)
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data, nil
}

// change runs one operation on names: act changes the running system.
func (s *Sim) change(kind OpKind, name string, act func(n *node) nameOp) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.lookup(name)
	if err != nil {
		return err
	}
	fault := s.begin(kind, name, 0)
	if fault.Err == nil || errors.Is(fault.Err, ErrPowerCut) {
		s.apply(act(n))
	}
	return fault.Err
}

// Remove implements [FS].
func (s *Sim) Remove(name string) error {
	return s.change(OpRemove, name, func(*node) nameOp { return nameOp{name: name} })
}

// Rename implements [FS]. Only within one folder: what else means differs between file systems.
func (s *Sim) Rename(oldname, newname string) error {
	if parentOf(oldname) != parentOf(newname) {
		return fmt.Errorf("disk: rename %s to another folder: %w", oldname, fs.ErrInvalid)
	}
	return s.change(OpRename, oldname, func(n *node) nameOp {
		return nameOp{name: newname, from: oldname, node: n}
	})
}

// MkdirAll implements [FS].
func (s *Sim) MkdirAll(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(name, "/")
	for i := range parts {
		path := strings.Join(parts[:i+1], "/")
		n, err := s.lookup(path)
		if err == nil && !n.dir {
			return fmt.Errorf("disk: %s is a file: %w", path, fs.ErrExist)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if fault := s.begin(OpMkdir, path, 0); fault.Err != nil {
			return fault.Err
		}
		s.nodes++
		s.apply(nameOp{name: path, node: &node{id: s.nodes, dir: true}})
	}
	return nil
}

// SyncDir implements [FS].
func (s *Sim) SyncDir(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.lookup(name); err != nil {
		return err
	}
	if fault := s.begin(OpSyncDir, name, 0); fault.Err != nil {
		return fault.Err
	}
	var rest []nameOp
	for _, op := range s.pending {
		if parentOf(op.name) == name {
			op.persist(s.durable)
		} else {
			rest = append(rest, op)
		}
	}
	s.pending = rest
	return nil
}

// persist makes one change of a name durable.
func (op nameOp) persist(names map[string]*node) {
	if op.from != "" && names[op.from] == op.node {
		delete(names, op.from)
	}
	if op.node == nil {
		delete(names, op.name)
	} else {
		names[op.name] = op.node
	}
}

// ReadDir implements [FS].
func (s *Sim) ReadDir(name string) ([]fs.DirEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, err := s.lookup(name); err != nil || !n.dir {
		return nil, errors.Join(err, fmt.Errorf("disk: folder %s: %w", name, fs.ErrNotExist))
	}
	var entries []fs.DirEntry
	for path, n := range s.live {
		if path != "." && parentOf(path) == name {
			entries = append(entries, dirEntry{name: path[strings.LastIndexByte(path, '/')+1:], dir: n.dir})
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Lock implements [FS].
func (s *Sim) Lock(name string) (io.Closer, error) {
	f, err := s.Create(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[name] {
		return nil, fmt.Errorf("disk: %s: %w", name, ErrLocked)
	}
	s.locks[name] = true
	return &simLock{file: f.(*simFile)}, nil
}

// Free implements [FS].
func (s *Sim) Free() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off {
		return 0, ErrPowerCut
	}
	return max(0, s.capacity-s.used), nil
}

// parentOf returns the folder that holds name.
func parentOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}
