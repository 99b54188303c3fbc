package haven

import (
	"context"
	"log/slog"

	"github.com/haven-health/haven/gate"
)

// Pin pins the journal's end as a server at work does each minute.
func (s *System) Pin(ctx context.Context) error { return s.pin(ctx, gate.Pin) }

// LogAlarms logs what changed between two looks at the alarms.
func LogAlarms(log *slog.Logger, before, now Alarms) {
	s := &Server{}
	s.cfg.Log = log
	s.logAlarms(before, now)
}

// HoldRewrapping keeps the system from wrapping anything anew until release is called, so that a
// test can look at what stands before it.
func (s *System) HoldRewrapping() (release func()) {
	s.rewrapper.one.Lock()
	return s.rewrapper.one.Unlock
}

// KeepCounts keeps the counts of uses as a server at work does each minute.
func (s *System) KeepCounts(ctx context.Context) error { return s.keepCounts(ctx) }

// RecordStrangers does what a server does beside serving, until the context ends: it records calls
// that proved nobody now and then.
func (s *System) RecordStrangers(ctx context.Context) {
	server := &Server{}
	server.system.Store(s)
	server.recordStrangers(ctx)
}
