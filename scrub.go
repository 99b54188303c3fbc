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
