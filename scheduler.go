package haven

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/store"
)

const (
	// scheduleLook is how often the time of the next check is compared with the clock, and
	// scheduleRead how often the schedule is read, which another process may have set.
	scheduleLook = time.Second
	scheduleRead = time.Minute
	// maxJitter bounds how long a check waits behind its time, so that of many nodes one does it as a
	// rule, and the others find it done.
	maxJitter = 5 * time.Minute
)

// RotationScheduler is the Rotation Scheduler acting for one principal, whom the process vouches for.
type RotationScheduler struct {
	system    *System
	principal gate.ID
}

// RotationScheduler acts as the local administrator.
func (s *System) RotationScheduler() RotationScheduler { return RotationScheduler{s, s.admin} }

// RotationScheduler acts for the principal.
func (a Acting) RotationScheduler() RotationScheduler { return RotationScheduler(a) }

// Scheduler returns the Rotation Scheduler, for surfaces: it takes calls that the gate began.
func (s *System) Scheduler() *rotation.Scheduler { return s.rotation }

// scheduling begins an operation of the scheduler, runs it and returns its answer.
func scheduling[Req, Answer any](ctx context.Context, r RotationScheduler, op *gate.Operation, req Req, do func(*rotation.Scheduler, context.Context, *gate.Call, Req) (*Answer, error)) (*Answer, error) {
	c, err := r.system.gate.Begin(ctx, op, gate.Proof{Local: r.principal})
	if err != nil {
		return nil, err
	}
	return do(r.system.rotation, ctx, c, req)
}

// ScheduleRotationCheck sets when checks are made, in UTC: rate(1 day), cron(0 8 * * ? *), at(…). They
// are made by every process that has the store open.
func (r RotationScheduler) ScheduleRotationCheck(ctx context.Context, expression string) error {
	_, err := r.Schedule(ctx, rotation.ScheduleRequest{Expression: expression})
	return err
}

// Schedule is ScheduleRotationCheck with a time zone.
func (r RotationScheduler) Schedule(ctx context.Context, req rotation.ScheduleRequest) (*rotation.Schedule, error) {
	return scheduling(ctx, r, gate.ScheduleRotationCheck, req, (*rotation.Scheduler).ScheduleRotationCheck)
}

// Status tells when checks are made, and what the last one found.
func (r RotationScheduler) Status(ctx context.Context) (*rotation.Schedule, error) {
	return scheduling(ctx, r, gate.DescribeRotationSchedule, rotation.StatusRequest{}, (*rotation.Scheduler).DescribeRotationSchedule)
}

// CheckRotation does what is due.
func (r RotationScheduler) CheckRotation(ctx context.Context, req rotation.CheckRequest) (*rotation.CheckAnswer, error) {
	return scheduling(ctx, r, gate.CheckRotation, req, (*rotation.Scheduler).CheckRotation)
}

// ExecuteRotations rotates those of the keys that are due.
func (r RotationScheduler) ExecuteRotations(ctx context.Context, keys ...string) (*rotation.ExecuteAnswer, error) {
	return scheduling(ctx, r, gate.ExecuteRotations, rotation.ExecuteRequest{Keys: keys}, (*rotation.Scheduler).ExecuteRotations)
}

// Due lists what is due, and what comes due within some days.
func (r RotationScheduler) Due(ctx context.Context, req rotation.DueRequest) (*rotation.DuePage, error) {
	return scheduling(ctx, r, gate.ListDue, req, (*rotation.Scheduler).ListDue)
}

// AdvanceClock lets time pass where Config.AdvanceClock can, and makes the checks on the way.
func (r RotationScheduler) AdvanceClock(ctx context.Context, d time.Duration) (*rotation.AdvanceAnswer, error) {
	return scheduling(ctx, r, gate.AdvanceClock, rotation.AdvanceRequest{Seconds: int(d / time.Second)}, (*rotation.Scheduler).AdvanceClock)
}

// newScheduler wires the domains whose items come due.
func (s *System) newScheduler() *rotation.Scheduler {
	return rotation.New(rotation.Config{
		Gate: s.gate, View: s.view, Log: s.cfg.Log, Notice: s.notice, Advance: s.cfg.AdvanceClock,
		Sources: map[store.Kind]rotation.Source{store.KindKey: s.dueOfKey, store.KindVersion: s.dueOfKey, store.KindCredential: s.dueOfCredential,
			store.KindStored: s.dueOfStored},
		Sweeps: map[store.Kind]rotation.Sweep{store.KindIdempotency: s.gate.Forget, store.KindCredential: s.people.ExpireCredentials},
	})
}

// dueOfKey asks the Key Manager.
func (s *System) dueOfKey(ctx context.Context, item *store.Item) ([]rotation.Task, error) {
	found, err := s.manager.Due(ctx, item)
	out := make([]rotation.Task, len(found))
	for i, d := range found {
		out[i] = rotation.Task{
			Do: d.Work.String(), At: d.At, ARN: d.ARN, KeyID: d.Key.String(), Version: d.Version, Type: string(d.Type), Alias: d.Alias,
			ExpiresAt: d.ExpiresAt, Waits: string(d.Waits),
			Settle: func(ctx context.Context, c *gate.Call) (bool, uint32, error) {
				return s.manager.Settle(ctx, c, d)
			},
		}
	}
	return out, err
}

// dueOfCredential asks who knows the credentials; an end is told, and what ended is swept away.
func (s *System) dueOfCredential(ctx context.Context, item *store.Item) ([]rotation.Task, error) {
	e, err := s.directory.Expiring(ctx, item)
	if err != nil || e == nil {
		return nil, err
	}
	return []rotation.Task{{Do: lifecycle.WorkExpire.String(), At: e.At, ARN: e.Principal, Credential: e.ID}}, nil
}

// notice tells in the log what a person should know of.
func (s *System) notice(_ context.Context, tasks []rotation.Task) {
	for _, t := range tasks {
		attributes := []any{slog.String("operation", t.Do), slog.String("key_id", t.KeyID), slog.Uint64("key_version", uint64(t.Version)), slog.Time("due", t.At)}
		switch {
		case t.Error != "": // which was told when it failed
		case t.Waits != "":
			s.cfg.Log.Warn("what is due waits for somebody", append(attributes, slog.String("reason", t.Waits))...)
		default:
			s.cfg.Log.Warn("it comes due soon", attributes...)
		}
	}
}

// checks is the goroutine that makes the scheduled checks.
type checks struct {
	stop  context.CancelFunc
	ended chan struct{}
	// planned is the time of the schedule that the next check is for, begins when it begins here.
	planned, begins time.Time
}

// startScheduler makes the scheduled checks from now on, in the background.
func (s *System) startScheduler(ctx context.Context) {
	if s.cfg.NoScheduler {
		return
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.checks = checks{stop: stop, ended: make(chan struct{})}
	go s.keepChecking(ctx)
}

func (s *System) stopScheduler() {
	if s.checks.stop != nil {
		s.checks.stop()
		<-s.checks.ended
	}
}

// keepChecking looks each second whether a check is to be made. A time that passed while nobody ran is
// made up for at once.
func (s *System) keepChecking(ctx context.Context) {
	defer close(s.checks.ended)
	ticker := time.NewTicker(scheduleLook)
	defer ticker.Stop()
	next := s.nextCheck(ctx)
	for seconds := 1; ; seconds++ {
		select {
		case <-ctx.Done():
			return
		case <-s.rotation.Changed():
			next = s.nextCheck(ctx)
		case <-ticker.C:
			if seconds%int(scheduleRead/scheduleLook) == 0 {
				next = s.nextCheck(ctx)
			}
		}
		if next.IsZero() || s.view.Now().Before(next) {
			continue
		}
		_, err := s.rotation.Scheduled(ctx, gate.Proof{Local: s.admin})
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("the check of what is due was interrupted; it is made again in a minute", slog.Any("error", err))
			next = time.Time{}
			continue
		}
		next = s.nextCheck(ctx)
	}
}

// chance is a time up to a longest, by chance; 0 where there is no randomness to be had.
func (s *System) chance(longest time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(s.cfg.Random, b[:]); err != nil {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(longest))
}

// nextCheck is when the next check is made here: a while behind its time, by chance, at most a tenth of
// the time until then. The zero time: not before the schedule is read again.
func (s *System) nextCheck(ctx context.Context) time.Time {
	at, ok, err := s.rotation.Next(ctx)
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("the rotation schedule could not be read", slog.Any("error", err))
	}
	if err != nil || !ok {
		return time.Time{}
	}
	if c := &s.checks; !at.Equal(c.planned) {
		c.planned, c.begins = at, at
		if jitter := min(maxJitter, at.Sub(s.view.Now())/10); jitter > 0 {
			c.begins = at.Add(s.chance(jitter))
		}
	}
	return s.checks.begins
}
