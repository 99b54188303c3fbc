package haven

import (
	"context"
	"log/slog"
	"time"
)

// DefaultScrub is how often a server at work looks at all it stores, where nothing else is said.
const DefaultScrub = 24 * time.Hour

// scrub looks at everything stored, again and again until the context ends: an item that was
// rolled back or deleted by itself, or a record that rotted, is found though nobody asks for it.
// What it finds is logged and stands as an alarm until a scrub finds nothing.
func (s *Server) scrub(ctx context.Context) {
	every := s.cfg.ScrubEvery
	if every == 0 {
		every = DefaultScrub
	}
	if every < 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if system := s.system.Load(); system != nil {
			s.scrubOnce(ctx, system)
		}
	}
}

func (s *Server) scrubOnce(ctx context.Context, system *System) {
	report, err := system.Scrub(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.cfg.Log.Error("the scrub could not finish", slog.Any("error", err))
	case len(report.Findings) > 0:
		s.cfg.Log.Error("the scrub found what Haven did not write: stop the server and run haven fsck",
			slog.Int("count", len(report.Findings)))
	default:
		s.cfg.Log.Info("the scrub found nothing", slog.Uint64("records", report.Records), slog.Uint64("count", report.Items))
	}
}

// alarmsEvery is how often the alarms are looked at for the log.
const alarmsEvery = 10 * time.Second

// watchAlarms logs each alarm when it begins to stand and when it no longer does. None of them takes
// the server out of service: who can raise an alarm must not be able to stop a clinic with it.
func (s *Server) watchAlarms(ctx context.Context) {
	ticker := time.NewTicker(alarmsEvery)
	defer ticker.Stop()
	var before Alarms
	for {
		if system := s.system.Load(); system != nil {
			now := system.Alarms()
			s.logAlarms(before, now)
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
		s.cfg.Log.Error("the wall clock jumped and is not believed: deadlines go on by the monotonic clock until accept-clock")
	case before.Clock && !now.Clock:
		s.cfg.Log.Info("the wall clock is believed again")
	}
	switch {
	case now.LowSpace && !before.LowSpace:
		s.cfg.Log.Error("the disk is nearly full: only operations that restrict are accepted until there is room")
	case before.LowSpace && !now.LowSpace:
		s.cfg.Log.Info("there is room on the disk again")
	}
}
