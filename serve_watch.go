package haven

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/seal"
)

// retryEvery is how often a locked server tries a seal that lies elsewhere again.
const retryEvery = 10 * time.Second

// retrySeals unlocks a server that started while the key management behind its seal could not be
// reached. A key file or passphrase that was wrong at the start stays wrong and is not tried again.
func (s *Server) retrySeals(ctx context.Context) {
	elsewhere := map[string]seal.Seal{}
	for name, one := range s.cfg.Seals {
		if one.Kind() == seal.KindKeeper {
			elsewhere[name] = one
		}
	}
	if len(elsewhere) == 0 {
		return
	}
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for s.system.Load() == nil {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.retry(ctx, elsewhere); err != nil && !errors.Is(err, gate.Locked) {
			s.cfg.Log.Error("unlocking failed", slog.Any("error", err))
		}
	}
}

func (s *Server) retry(ctx context.Context, seals map[string]seal.Seal) error {
	s.unlocking.Lock()
	defer s.unlocking.Unlock()
	if s.system.Load() != nil || s.locked == nil || !s.locked.Initialized() {
		return nil
	}
	system, err := s.locked.Unlock(ctx, seals, Attempts(s.http.UnsealAttempts()))
	if err == nil {
		s.serve(system)
		s.cfg.Log.Info("unlocked: the seal answered")
	}
	return err
}

// alarmsEvery is how often the alarms are looked at for the log.
const alarmsEvery = 10 * time.Second

// watchAlarms logs each alarm when it begins to stand and when it no longer does. What is found in
// the store, or the clock, takes no server out of service: who can raise such an alarm must not be
// able to stop a clinic with it.
func (s *Server) watchAlarms(ctx context.Context) {
	ticker := time.NewTicker(alarmsEvery)
	defer ticker.Stop()
	var before Alarms
	for {
		if system := s.system.Load(); system != nil {
			now := system.Alarms()
			s.logAlarms(before, now)
			if now.Clock != before.Clock {
				s.pin(ctx, system) // a start after a kill has to know
			}
			before = now
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Server) logAlarms(before, now Alarms) {
	if now.Tampered > before.Tampered {
		s.cfg.Log.Error("stored items are not what Haven wrote and are not used: run haven fsck", slog.Uint64("count", now.Tampered))
	}
	switch {
	case now.Clock && !before.Clock:
		s.cfg.Log.Error("the machine's clock jumped and is not believed: deadlines go on by the monotonic clock until it is mended or accepted (haven clock accept)",
			s.times()...)
	case before.Clock && !now.Clock:
		s.cfg.Log.Info("the machine's clock is believed again", s.times()...)
	}
	switch {
	case now.LowSpace && !before.LowSpace:
		s.cfg.Log.Error("the disk is nearly full: only operations that restrict are accepted until there is room")
	case before.LowSpace && !now.LowSpace:
		s.cfg.Log.Info("there is room on the disk again")
	}
	switch {
	case now.Stalled && !before.Stalled:
		s.cfg.Log.Error("the store hangs: every call is refused until it returns", slog.Duration("over", gate.MaxStoreWait))
	case before.Stalled && !now.Stalled:
		s.cfg.Log.Info("the store has returned")
	}
}

// times are what the machine's clock says and what deadlines are compared with.
func (s *Server) times() []any {
	system := s.system.Load()
	if system == nil {
		return nil
	}
	line := system.view.Time()
	return []any{slog.Time("machine", line.Wall()), slog.Time("believed", line.Now())}
}

// recordStrangers lets calls that proved nobody, or were over their rate, be recorded now and then,
// so that a kill loses no more than the counts of ten seconds.
func (s *Server) recordStrangers(ctx context.Context) {
	ticker := time.NewTicker(gate.StrangersEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if system := s.system.Load(); system != nil {
			system.gate.RecordStrangers()
		}
	}
}
