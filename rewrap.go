package haven

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

const (
	// rewrapLook is how often all master keys are looked at, whether or not one was changed here: one
	// may be enabled again by a deadline, or have been changed by a process that ended.
	rewrapLook = time.Minute
	// rewrapTell is after how many pages a long re-wrap tells in the log how far it is.
	rewrapTell = 100
	// rewrapSettle is how long after the change of a master key re-wrapping begins: operations that
	// the change made run again have ended by then, and do not meet a second one.
	rewrapSettle = 100 * time.Millisecond
	// maxRewrapPause bounds the pause after a page.
	maxRewrapPause = time.Second
	// maxContended is how often in a row a page is tried that others' changes overtook.
	maxContended = 10
)

// rewrapper wraps anew, in the background, what old versions of master keys still wrap. It keeps no
// list of what is to be done: what is still wrapped by an old version is that list, so nothing is
// lost with the process, and several processes may do it at once.
type rewrapper struct {
	stop  context.CancelFunc
	ended chan struct{}
	// one is held by who does it: a second of the same process would only meet what the first one
	// changed. It guards blocked.
	one sync.Mutex

	// page is held for each page, and by a rotation of the root key: it changes the same versions.
	page sync.Mutex

	versions atomic.Uint64 // wrapped anew
	waiting  atomic.Uint64 // versions of master keys that wait, by the last look
	blocked  map[gate.ID]string
}

// startRewrapping looks once, before anything else is done with the system, and goes on in the
// background.
func (s *System) startRewrapping(ctx context.Context) {
	due, err := s.rewrapDue(ctx)
	s.rewrapFailed(ctx, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.rewrapper.stop, s.rewrapper.ended = stop, make(chan struct{})
	go s.keepRewrapping(ctx, len(due) > 0 || err != nil)
}

func (s *System) stopRewrapping() {
	if s.rewrapper.stop != nil {
		s.rewrapper.stop()
		<-s.rewrapper.ended
	}
}

func (s *System) keepRewrapping(ctx context.Context, due bool) {
	defer close(s.rewrapper.ended)
	ticker := time.NewTicker(rewrapLook)
	defer ticker.Stop()
	for {
		if due {
			s.rewrapFailed(ctx, s.rewrap(ctx, s.pause))
		}
		due = true
		select {
		case <-ctx.Done():
			return
		case <-s.manager.MastersChanged():
			s.pause(ctx, rewrapSettle)
		case <-ticker.C:
		}
	}
}

func (s *System) rewrapFailed(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, gate.NoSpace) { // of which the log tells already
		s.cfg.Log.Error("re-wrapping was interrupted; it is tried again each minute", slog.Any("error", err))
	}
}

// Rewrap wraps anew what versions of master keys that are no longer primary still wrap, as far as it
// can be done now, and returns when it is. It happens by itself soon after a master key was changed;
// who calls it waits for that.
func (s *System) Rewrap(ctx context.Context) error {
	return s.rewrap(ctx, func(context.Context, time.Duration) {})
}

func (s *System) rewrap(ctx context.Context, pause func(context.Context, time.Duration)) error {
	s.rewrapper.one.Lock()
	defer s.rewrapper.one.Unlock()
	due, err := s.rewrapDue(ctx)
	for i := 0; i < len(due) && ctx.Err() == nil; i++ {
		failed := s.rewrapVersion(ctx, due[i], pause)
		if failed != nil {
			s.rewrapper.waiting.Add(1)
		}
		err = errors.Join(err, failed) // what is wrong with one keeps no other waiting
	}
	return err
}

// oldVersion is a version of a master key that is no longer its primary.
type oldVersion struct {
	master  gate.ID
	version uint32
}

// rewrapDue looks at every master key for what can be done now, and tells of what cannot.
func (s *System) rewrapDue(ctx context.Context) (found []oldVersion, err error) {
	waiting, blocked := uint64(0), map[gate.ID]string{}
	err = s.ring.Masters(ctx, func(master gate.ID) error {
		due, err := s.ring.RewrapDue(ctx, master)
		if due.Blocked != "" && len(due.Versions) > 0 {
			waiting += uint64(len(due.Versions))
			blocked[master] = due.Blocked
			if s.rewrapper.blocked[master] != due.Blocked {
				s.cfg.Log.Warn("re-wrapping waits: the master key cannot be used",
					slog.String("key_id", master.String()), slog.String("reason", due.Blocked))
			}
			return nil
		}
		for _, version := range due.Versions {
			found = append(found, oldVersion{master, version})
		}
		return err
	})
	s.rewrapper.blocked = blocked
	s.rewrapper.waiting.Store(waiting)
	return found, err
}

// rewrapVersion wraps anew all that one version wraps, a page an operation.
func (s *System) rewrapVersion(ctx context.Context, old oldVersion, pause func(context.Context, time.Duration)) error {
	log := s.cfg.Log.With(slog.String("key_id", old.master.String()), slog.Uint64("key_version", uint64(old.version)))
	total, contended := uint64(0), 0
	for pages := 1; ; pages++ {
		began := s.cfg.Clock.Monotonic()
		page, err := s.rewrapOnce(ctx, old)
		if errors.Is(err, gate.Contended) && contended < maxContended {
			contended++
			pages--
			pause(ctx, s.cfg.Clock.Monotonic()-began)
			continue
		}
		if err != nil {
			return err
		}
		contended = 0
		if pages == 1 && page.More {
			log.Info("re-wrapping begins: an old master version still wraps keys", slog.Bool("recovery", page.Recovery))
		}
		total += uint64(page.Versions)
		s.rewrapper.versions.Add(uint64(page.Versions))
		if !page.More {
			log.Info("re-wrapping ended: the old master version wraps nothing any more", slog.Uint64("count", total))
			return nil
		}
		if pages%rewrapTell == 0 {
			log.Info("re-wrapping goes on", slog.Uint64("count", total))
		}
		pause(ctx, s.cfg.Clock.Monotonic()-began)
	}
}

// rewrapOnce does one page. It is Haven's own work, in the local administrator's name.
func (s *System) rewrapOnce(ctx context.Context, old oldVersion) (keys.Rewrapped, error) {
	s.rewrapper.page.Lock()
	defer s.rewrapper.page.Unlock()
	begun, err := s.gate.Begin(ctx, gate.Rewrap, gate.Proof{Local: s.admin})
	if err != nil {
		return keys.Rewrapped{}, err
	}
	own, err := s.gate.Own(ctx, begun, gate.Rewrap)
	if err != nil {
		return keys.Rewrapped{}, err
	}
	return s.manager.Rewrap(ctx, own, old.master, old.version)
}

// pause leaves the store to others for as long as the page before took.
func (s *System) pause(ctx context.Context, took time.Duration) {
	if took <= 0 {
		return
	}
	timer := time.NewTimer(min(took, maxRewrapPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
