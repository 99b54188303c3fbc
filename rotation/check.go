package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

const (
	// MaxChecked is how many things one check-rotation does at most, and the default.
	MaxChecked = 1000
	// duePage is how many items are read at once.
	duePage = 1000
	// together is how many things are looked at, or done, at the same time: their commits share
	// batches, and others get their turn.
	together = 256
	// maxPasses is how often a check goes through what is due again.
	maxPasses = 3
	// tries is how often a thing is tried that others' changes overtook.
	tries = 4
)

// CheckRequest asks to do what is due, at most Limit things (0: MaxChecked). DryRun only tells.
type CheckRequest struct {
	DryRun bool `json:"dry_run,omitzero"`
	Limit  int  `json:"limit,omitzero"`
}

// CheckAnswer tells what was due.
type CheckAnswer struct {
	DryRun bool `json:"dry_run,omitzero"`
	// Due is what a dry run found that would be done.
	Due []Task `json:"due,omitzero"`
	// Done was done. Failed was tried and is due still: each says why.
	Done   []Task `json:"done"`
	Failed []Task `json:"failed"`
	// Waiting is due, and waits for somebody: see [Task.Waits].
	Waiting []Task `json:"waiting"`
	// More tells that the limit was reached: check again.
	More bool `json:"more"`
}

// CheckRotation does what is due. The check has one record, and each thing that it does has its own.
// It may be called at any time, by several at once.
func (s *Scheduler) CheckRotation(ctx context.Context, c *gate.Call, req CheckRequest) (*CheckAnswer, error) {
	if req.Limit < 0 || req.Limit > MaxChecked {
		return nil, s.cfg.Gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "limit is 1 to %d", MaxChecked))
	}
	if req.Limit == 0 {
		req.Limit = MaxChecked
	}
	var found CheckAnswer
	err := s.cfg.Gate.Do(ctx, c, gate.Request{Parameters: fmt.Sprintf("dry_run=%t;limit=%d", req.DryRun, req.Limit)}, func(gate.Approved) (gate.Outcome, error) {
		if !req.DryRun {
			return gate.Outcome{}, nil
		}
		var err error
		found, err = s.look(ctx, req.Limit)
		return gate.Outcome{}, err
	})
	if err != nil || req.DryRun {
		return &found, err
	}
	return s.check(ctx, c, req.Limit)
}

// look tells what a check would do.
func (s *Scheduler) look(ctx context.Context, limit int) (CheckAnswer, error) {
	out := CheckAnswer{DryRun: true, Due: []Task{}, Done: []Task{}, Failed: []Task{}, Waiting: []Task{}}
	now := s.cfg.View.Now()
	err := s.each(ctx, now, func(tasks []Task, _ []store.Item) (bool, error) {
		for _, t := range tasks {
			switch {
			case t.Waits != "":
				out.Waiting = append(out.Waiting, t)
			case len(out.Due) == limit:
				out.More = true
				return false, nil
			default:
				out.Due = append(out.Due, t)
			}
		}
		return len(out.Waiting) < MaxChecked, nil
	})
	return out, err
}

// each calls f with what is due by a time, page by page, oldest first, until it returns false. What is
// only to be deleted comes as items.
func (s *Scheduler) each(ctx context.Context, by time.Time, f func([]Task, []store.Item) (bool, error)) error {
	q := store.DueQuery{Before: by.UnixMilli(), Limit: duePage}
	for {
		page, err := s.cfg.View.Due(ctx, q)
		if err != nil {
			return err
		}
		tasks, err := s.lookAt(ctx, page.Items, by)
		if err != nil {
			return err
		}
		var forgotten []store.Item
		for i := range page.Items {
			if s.cfg.Sweeps[page.Items[i].Kind] != nil {
				forgotten = append(forgotten, page.Items[i])
			}
		}
		if more, err := f(tasks, forgotten); err != nil || !more || !page.More {
			return err
		}
		q.After = page.Items[len(page.Items)-1]
	}
}

// lookAt returns what items ask for by a time, in their order.
func (s *Scheduler) lookAt(ctx context.Context, items []store.Item, by time.Time) ([]Task, error) {
	found, errs := make([][]Task, len(items)), make([]error, len(items))
	inParallel(len(items), func(i int) { found[i], errs[i] = s.tasks(ctx, &items[i], by) })
	return slices.Concat(found...), errors.Join(errs...)
}

// inParallel calls f with each number below n, several at a time, and waits for all.
func inParallel(n int, f func(int)) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(n, together) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}

// tasks returns what an item asks for by a time. One that cannot be read fails by itself.
func (s *Scheduler) tasks(ctx context.Context, item *store.Item, by time.Time) ([]Task, error) {
	source := s.cfg.Sources[item.Kind]
	if source == nil {
		return nil, nil
	}
	found, err := source(ctx, item)
	if unreachable(err) {
		return nil, err
	}
	if err != nil {
		failed := err
		return []Task{{Do: "look", At: time.UnixMilli(item.Due).UTC(), ARN: item.Ref.String(),
			Settle: func(context.Context, *gate.Call) (bool, uint32, error) { return false, 0, failed }}}, nil
	}
	return slices.DeleteFunc(found, func(t Task) bool { return t.At.After(by) }), nil
}

// check does what is due, at most limit things. It goes through it again once something was done: that
// may have held up something else, or have brought a deadline that passed already.
func (s *Scheduler) check(ctx context.Context, c *gate.Call, limit int) (*CheckAnswer, error) {
	var out CheckAnswer
	for pass := 0; ; pass++ {
		before := len(out.Done)
		out.Failed, out.Waiting = []Task{}, []Task{}
		if err := s.pass(ctx, c, limit, &out); err != nil {
			return nil, err
		}
		if len(out.Done) == before || out.More || pass == maxPasses {
			break
		}
	}
	s.count(&out)
	if out.Done == nil {
		out.Done = []Task{}
	}
	return &out, nil
}

func (s *Scheduler) count(out *CheckAnswer) {
	s.figures.done.Add(uint64(len(out.Done)))
	s.figures.failed.Add(uint64(len(out.Failed)))
	s.figures.waiting.Store(int64(len(out.Waiting)))
	s.figures.overdue.Store(int64(len(out.Waiting) + len(out.Failed)))
	s.figures.checked.Store(s.cfg.View.Now().Unix())
}

// pass goes once through what is due.
func (s *Scheduler) pass(ctx context.Context, c *gate.Call, limit int, out *CheckAnswer) error {
	return s.each(ctx, s.cfg.View.Now(), func(tasks []Task, forgotten []store.Item) (bool, error) {
		if err := s.sweep(ctx, c, forgotten); err != nil {
			return false, err
		}
		var ready []Task
		for _, t := range tasks {
			if t.Waits == "" && t.Settle != nil {
				ready = append(ready, t)
			} else if t.Waits != "" && len(out.Waiting) < MaxChecked {
				out.Waiting = append(out.Waiting, t)
			}
		}
		if room := limit - len(out.Done) - len(out.Failed); len(ready) > room {
			ready, out.More = ready[:room], true
		}
		err := s.settle(ctx, c, ready, out)
		return !out.More, err
	})
}

// settle does things, several at a time, and tells of each how it went.
func (s *Scheduler) settle(ctx context.Context, c *gate.Call, ready []Task, out *CheckAnswer) error {
	results := make([]error, len(ready))
	done := make([]bool, len(ready))
	inParallel(len(ready), func(i int) { done[i], ready[i].NewVersion, results[i] = s.try(ctx, c, &ready[i]) })
	for i, t := range ready {
		err := results[i]
		switch {
		case err == nil && done[i]:
			out.Done = append(out.Done, t)
		case err == nil: // somebody else did it
		case unreachable(err) || ctx.Err() != nil:
			return err
		default:
			t.Error, t.Detail = told(err)
			out.Failed = append(out.Failed, t)
			s.cfg.Log.Warn("what is due could not be done; it is tried again by the next check", slog.String("operation", t.Do),
				slog.String("key_id", t.KeyID), slog.Uint64("key_version", uint64(t.Version)), slog.String("reason", t.Error))
		}
	}
	return nil
}

// try does one thing, again while others' changes overtake it.
func (s *Scheduler) try(ctx context.Context, c *gate.Call, t *Task) (done bool, version uint32, err error) {
	for range tries {
		done, version, err = t.Settle(ctx, c)
		if !errors.Is(err, gate.Contended) && !errors.Is(err, gate.Conflict) {
			break
		}
	}
	return done, version, err
}

// sweep deletes what was forgotten.
func (s *Scheduler) sweep(ctx context.Context, c *gate.Call, forgotten []store.Item) error {
	byKind := map[store.Kind][]store.Item{}
	for _, item := range forgotten {
		byKind[item.Kind] = append(byKind[item.Kind], item)
	}
	for kind, items := range byKind {
		for some := range slices.Chunk(items, MaxSweep) {
			n, err := s.cfg.Sweeps[kind](ctx, c, some)
			s.figures.swept.Add(uint64(n))
			if errors.Is(err, gate.Contended) || errors.Is(err, gate.Conflict) {
				continue // another deletes them
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// unreachable tells of an error that ends a check: the store takes nothing more, or Haven is ending.
func unreachable(err error) bool {
	return errors.Is(err, gate.Unavailable) || errors.Is(err, gate.NoSpace) || errors.Is(err, context.Canceled)
}

// told is what a list says of an error.
func told(err error) (code, detail string) {
	var e *gate.Error
	if errors.As(err, &e) {
		return e.Code.String(), e.Detail
	}
	return gate.Internal.String(), "see the server's log"
}
