package haven

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/haven-health/haven/gate"
)

// pinEvery is how often a server at work pins the journal's end; pinIdle how often one does to which
// nothing comes: the newest record tells a later start what time it was.
const (
	pinEvery = time.Minute
	pinIdle  = time.Hour
)

// pinned is what stood when the journal's end was last pinned.
type pinned struct {
	mu   sync.Mutex
	last pinPoint
}

type pinPoint struct {
	records uint64 // that were there, the pin's own with them
	at      time.Time
	alarm   bool // the clock was not believed
}

// pin changes one small item, and so writes the journal's present end into the store: uses alone
// leave it in the journal only, where records cut off its end would not be missed. What is cut off
// after the last pin, once the process was killed, only a witness elsewhere can miss. The item also
// says whether the clock is believed.
func (s *System) pin(ctx context.Context, op *gate.Operation) error {
	now := pinPoint{records: s.gate.Counters().Records, at: s.view.Now(), alarm: s.view.Time().Alarm()}
	if !s.pinned.due(now) {
		return nil
	}
	err := s.own(ctx, op, "", func(a gate.Approved) (gate.Outcome, error) { return s.view.Pin(ctx, a) })
	if err == nil {
		// Its own record and those before it. One that came meanwhile may stand behind the pin: it
		// makes the next one due.
		now.records++
		s.pinned.keep(now)
	}
	return err
}

func (p *pinned) due(now pinPoint) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.records != p.last.records || now.alarm != p.last.alarm || now.at.Sub(p.last.at).Abs() >= pinIdle
}

func (p *pinned) keep(now pinPoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = now
}

// keepPinning pins the journal's end now and then until the context ends.
func (s *Server) keepPinning(ctx context.Context) {
	ticker := time.NewTicker(pinEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if system := s.system.Load(); system != nil {
			s.pin(ctx, system)
		}
	}
}

func (s *Server) pin(ctx context.Context, system *System) {
	// It may spend what is reserved on a full disk; when that is spent too, an alarm stands already.
	if err := system.pin(ctx, gate.Pin); err != nil && !errors.Is(err, gate.NoSpace) && ctx.Err() == nil {
		s.cfg.Log.Error("the journal's end could not be pinned", slog.Any("error", err))
	}
}
