package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

// The full disk is a small file system of its own in a file.
const (
	smallDisk = 512 << 20
	// nearlyFull is below what the server wants to have free, 128 MiB.
	nearlyFull = 100 << 20
	// returnsWithin is how soon service must return once there is room.
	returnsWithin = 5 * time.Second
)

// fullDisk fills the disk under a server, revokes, kills and restarts it there, and makes room
// again.
func fullDisk(ctx context.Context, cfg *Config, report *Report) error {
	mount, unmount, err := mountSmall(ctx, cfg.Folder)
	if err != nil {
		report.Notes = append(report.Notes, "full disk: left out: "+err.Error())
		return nil
	}
	defer unmount()
	r := newRound(cfg, report, filepath.Join("small", "data"))
	r.cycle++
	if err := r.initialize(ctx); err != nil {
		return err
	}
	if err := r.crash(ctx); err != nil {
		return err
	}
	filler := filepath.Join(mount, "filler")
	for _, left := range []int64{nearlyFull, 0} {
		if err := r.fillUp(ctx, filler, left); err != nil {
			return err
		}
	}
	if err := r.audit(ctx); err != nil {
		return err
	}
	report.Notes = append(report.Notes, fmt.Sprintf("full disk: %d calls, %d records, %d violations in all",
		len(r.history), r.ledger.records, len(report.Violations)))
	return r.postmortem()
}

// fillUp leaves so much room on the disk of a running server, and looks at what is done and what
// is refused; then the same after a crash and a restart; then it makes room.
func (r *round) fillUp(ctx context.Context, filler string, left int64) error {
	p, err := r.start(ctx, ending{})
	if err != nil {
		return err
	}
	defer p.kill()
	c, err := newCaller(p.cfg, r, rand.New(rand.NewPCG(r.rng.Uint64(), 0)))
	if err != nil {
		return err
	}
	for range 24 {
		if !r.create(c, 0, &attempt{idempotency: c.newIdempotency()}) {
			return errStopped
		}
	}
	fresh := r.world.keys[len(r.world.keys)-24:]
	if err := leave(filler, left); err != nil {
		return err
	}
	r.restrictOnly(c, fresh[:12], left)
	c.api.Close()
	r.history = append(r.history, c.calls...)
	p.kill()
	if p, err = r.start(ctx, ending{}); err != nil {
		return fmt.Errorf("with %d bytes free: %w", left, errors.Join(err, os.Remove(filler)))
	}
	defer p.kill()
	if c, err = newCaller(p.cfg, r, rand.New(rand.NewPCG(r.rng.Uint64(), 0))); err != nil {
		return err
	}
	defer func() { r.history = append(r.history, c.calls...) }()
	defer c.api.Close()
	r.restrictOnly(c, fresh[12:], left)
	if err := os.Remove(filler); err != nil {
		return err
	}
	r.returns(c, fresh[0])
	return nil
}

// restrictOnly disables keys, which must be done, and tries what must be refused.
func (r *round) restrictOnly(c *caller, keys []*key, left int64) {
	for _, k := range keys {
		before := k.done[gate.DisableKey.Number]
		r.change(c, k, &attempt{change: change{op: gate.DisableKey}, idempotency: c.newIdempotency()})
		if k.done[gate.DisableKey.Number] == before {
			r.violated("space", "with %d bytes free disable-key was not done: %s", left, c.calls[len(c.calls)-1].code)
		}
	}
	for _, other := range []func(){
		func() { r.encrypt(c, r.world.keys[0]) },
		func() { r.create(c, 0, &attempt{idempotency: c.newIdempotency()}) },
	} {
		other()
		if last := &c.calls[len(c.calls)-1]; last.code != client.NoSpace {
			r.violated("space", "with %d bytes free %s answered %q", left, last.op.Name, last.code)
		}
	}
}

// returns waits until a key can be enabled again.
func (r *round) returns(c *caller, k *key) {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for began := time.Now(); time.Since(began) < returnsWithin; <-look.C {
		if r.change(c, k, &attempt{change: change{op: gate.EnableKey}, idempotency: c.newIdempotency()}); !k.life.disabled {
			return
		}
	}
	r.violated("space", "service did not return within %s of there being room", returnsWithin)
}

// mountSmall makes and mounts a small file system.
func mountSmall(ctx context.Context, folder string) (mount string, unmount func(), err error) {
	image, mount := filepath.Join(folder, "small.img"), filepath.Join(folder, "small")
	if err := os.MkdirAll(mount, 0o700); err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return "", nil, err
	}
	if err := os.Truncate(image, smallDisk); err != nil {
		return "", nil, err
	}
	for _, argv := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, mount}} {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("%s: %w: %s", argv[0], err, out)
		}
	}
	return mount, func() { _ = unix.Unmount(mount, unix.MNT_DETACH) }, nil
}

// leave fills the disk with a file until so much is free.
func leave(filler string, left int64) error {
	f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(filler), &s); err != nil {
		return err
	}
	size := int64(s.Bavail)*s.Bsize - left
	// Blocks for the file's own extents may be missing at the end: then smaller and smaller ones.
	at := int64(0)
	for step := size; step >= 4096; {
		if err := unix.Fallocate(int(f.Fd()), 0, at, min(step, size-at)); err != nil {
			step /= 2
			continue
		}
		if at += min(step, size-at); at >= size {
			break
		}
	}
	return f.Sync()
}
