package haven

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/haven-health/haven/gate"
)

// How often a server at work takes in what the journal tells of uses, and keeps what it took in.
const (
	countEvery     = time.Second
	keepCountEvery = time.Minute
)

// keepCounts makes durable what the journal told of how often keys were used, so that a start reads
// little of it again, and on which days credentials and grants were used. Of keys nothing is lost without: the
// journal tells it again.
func (s *System) keepCounts(ctx context.Context) error {
	commit := func(ctx context.Context, parameters string, f gate.Function) error {
		return s.own(ctx, gate.Usage, parameters, f)
	}
	if err := s.ring.Counts().Checkpoint(ctx, commit); err != nil {
		return err
	}
	if err := s.ring.GrantUses().Keep(ctx, commit); err != nil {
		return err
	}
	return s.directory.Uses().Keep(ctx, commit)
}

// countUses counts, in the background, until the context ends.
func (s *Server) countUses(ctx context.Context) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for seconds := 1; ; seconds++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		system := s.system.Load()
		if system == nil {
			continue
		}
		err := system.ring.Counts().Fold(ctx)
		if err == nil && (seconds%int(keepCountEvery/countEvery) == 0 || system.ring.Counts().Large()) {
			err = system.keepCounts(ctx)
		}
		// A full disk refuses it, as every change that takes no right away.
		if err != nil && !errors.Is(err, gate.NoSpace) && ctx.Err() == nil {
			s.cfg.Log.Error("the uses of keys could not be counted", slog.Any("error", err))
		}
	}
}
