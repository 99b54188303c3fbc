package embedded

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
)

// checkEvery is how many batches without changes may pass between two looks at the free space:
// they write into segments that were allocated before.
const checkEvery = 256

// reserveSteps is in how many steps the reserve is given up.
const reserveSteps = 8

// space watches the free space and keeps the reserve: a file that is nothing but room, given up for
// batches that take a right away, so that a full disk cannot keep one standing.
type space struct {
	fs        disk.FS
	threshold int64 // below it only restricting batches pass
	full      int64 // the reserve's size when space is plenty
	low       atomic.Bool
	batches   int // since the last look; Commit's

	mu      sync.Mutex
	reserve disk.File
	size    int64 // of the reserve now
}

// openSpace finds the reserve as it was left.
func openSpace(cfg *Config) (*space, error) {
	p := &space{fs: cfg.FS, threshold: cfg.LowSpace, full: cfg.Reserve}
	if p.full == 0 {
		return p, p.look()
	}
	var err error
	if p.reserve, err = cfg.FS.Create(reserveName); err != nil {
		return nil, fmt.Errorf("%s: %w", reserveName, err)
	}
	if p.size, err = p.reserve.Size(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", reserveName, err), p.reserve.Close())
	}
	return p, p.look()
}

// look compares the free space with the threshold, and restores the reserve when there is enough
// for both again.
func (p *space) look() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	free, err := p.fs.Free()
	if err != nil {
		return fmt.Errorf("free space: %w", err)
	}
	missing := int64(0)
	if p.reserve != nil {
		missing = max(0, p.full-p.size)
	}
	switch {
	case free < p.threshold:
		p.low.Store(true)
		return nil
	case free < p.threshold+missing:
		return nil // as it was: what is free may be what the reserve gave up
	}
	if missing > 0 {
		if err := p.reserve.Preallocate(p.full); errors.Is(err, disk.ErrNoSpace) {
			p.low.Store(true)
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", reserveName, err)
		}
		p.size = p.full
	}
	p.low.Store(false)
	return nil
}

// giveUp frees a step of the reserve, and tells whether there was one.
func (p *space) giveUp() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size == 0 || p.reserve == nil {
		return false, nil
	}
	size := max(0, p.size-max(1, p.full/reserveSteps))
	if err := p.reserve.Truncate(size); err != nil {
		return false, fmt.Errorf("%s: %w", reserveName, err)
	}
	p.size = size
	return true, nil
}

func (p *space) close() error {
	if p.reserve == nil {
		return nil
	}
	return p.reserve.Close()
}

// CheckSpace looks at the free space now. Commit does so itself; this is for those who show or
// wait for the state, [Store.Limits] tells it.
func (s *Store) CheckSpace() error {
	if err := s.alive(); err != nil {
		return err
	}
	if err := s.space.look(); err != nil {
		return s.check(err)
	}
	return nil
}

// admit refuses a batch for want of space, unless it is restricting. While space is low every
// attempt looks again, so that service returns by itself.
func (s *Store) admit(b *store.Batch) error {
	s.space.batches++
	if len(b.Changes) > 0 || len(b.Touched) > 0 || s.space.low.Load() || s.space.batches >= checkEvery {
		s.space.batches = 0
		if err := s.CheckSpace(); err != nil {
			return err
		}
	}
	if s.space.low.Load() && !b.Restricting {
		return fmt.Errorf("%w: less than %d bytes are free: only what restricts is accepted", store.ErrNoSpace, s.space.threshold)
	}
	return nil
}

// spend does a step that needs room. Without room space is low; a restricting batch is given the
// reserve, step by step, until there is room or no reserve.
func (s *Store) spend(restricting bool, step func() error) error {
	for {
		err := step()
		if !errors.Is(err, disk.ErrNoSpace) && !errors.Is(err, store.ErrNoSpace) {
			return err
		}
		s.space.low.Store(true)
		if !restricting {
			return err
		}
		given, failed := s.space.giveUp()
		if failed != nil {
			return failed
		}
		if !given {
			return err
		}
	}
}
