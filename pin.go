package haven

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// pinEvery is how often a server at work pins the journal's end.
const pinEvery = time.Minute

// pinned counts the records that were there when the journal's end was last pinned.
type pinned struct{ records atomic.Uint64 }

// pin changes one small item, and so writes the journal's present end into the store: uses alone
// leave it in the journal only, where records cut off its end would not be missed. What is cut off
// after the last pin, once the process was killed, only a witness elsewhere can miss.
func (s *System) pin(ctx context.Context, op *gate.Operation) error {
	before := s.gate.Counters().Records
	if before == s.pinned.records.Load() {
		return nil
	}
	err := s.own(ctx, op, "", func(a gate.Approved) (gate.Outcome, error) {
		item, err := s.item(ctx, a, store.Ref{Kind: store.KindSetting, ID: "pin"})
		if err != nil {
			return gate.Outcome{}, err
		}
		change := gate.Change{Ref: item.Ref, Body: []byte(`{"v":1}`)}
		if item.Revision > 0 {
			change.Before = item
		}
		return gate.Outcome{Changes: []gate.Change{change}}, nil
	})
	if err == nil {
		// Its own record and those before it. One that came meanwhile may stand behind the pin: it
		// makes the next one due.
		s.pinned.records.Store(before + 1)
	}
	return err
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
		system := s.system.Load()
		if system == nil {
			continue
		}
		// A full disk refuses it, as every change that takes no right away.
		if err := system.pin(ctx, gate.Pin); err != nil && !errors.Is(err, gate.NoSpace) && ctx.Err() == nil {
			s.cfg.Log.Error("the journal's end could not be pinned", slog.Any("error", err))
		}
	}
}
