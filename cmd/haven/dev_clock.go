package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
)

// devClockFile keeps how far the clock of a development server is ahead of the machine's.
const devClockFile = "dev-clock"

// devClock is the clock of a development server: the machine's, and what it was advanced by.
type devClock struct {
	*clock.Ahead
	one    sync.Mutex
	folder string
	fs     disk.FS
}

// newDevClock goes on where the clock of the folder stood, or begins at start, which must not be before
// that; the zero time is none.
func newDevClock(folder string, start time.Time) (*devClock, error) {
	fs, err := disk.Dir(folder)
	if err != nil {
		return nil, err
	}
	ahead := time.Duration(0)
	b, err := fs.ReadFile(devClockFile, maxTokenFile)
	known := err == nil
	if known {
		if ahead, err = time.ParseDuration(strings.TrimSpace(string(b))); err != nil {
			return nil, fmt.Errorf("%s in %s cannot be read: begin anew with another folder", devClockFile, folder)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if _, err := fs.ReadFile(devTokenFile, maxTokenFile); err == nil {
		known = true // a store that was tried before it had a clock of its own
	}
	c := &devClock{Ahead: clock.NewAhead(clock.System(), ahead), folder: folder, fs: fs}
	if start.IsZero() {
		return c, nil
	}
	more := start.Sub(c.Wall())
	if known && more < 0 {
		return nil, usagef("--clock: the clock of %s stands at %s already, and does not go back", folder, when(c.Wall()))
	}
	c.Ahead = clock.NewAhead(clock.System(), ahead+more)
	return c, c.keep(ahead + more)
}

// Advance lets d pass, once it is kept.
func (c *devClock) Advance(d time.Duration) error {
	c.one.Lock()
	defer c.one.Unlock()
	if err := c.keep(c.By() + d); err != nil {
		return err
	}
	c.Ahead.Advance(d)
	return nil
}

func (c *devClock) keep(ahead time.Duration) error {
	return writeDevFile(c.fs, devClockFile, []byte(ahead.String()))
}
