// Package rotation is the Rotation Scheduler: it finds what is due (the rotation of keys, the end of
// grace periods and lifetimes, destruction, the end of imported material) and has it done.
//
// It guarantees that each due thing is done once, by however many schedulers: each is an operation of
// its own whose commit names the state that it found, and of two the second finds nothing left to do;
// that a check costs in proportion to what is due, not to what exists; that what was missed while
// nobody ran is caught up with; and that nothing is lost with the process, since what is due is told by
// what is stored.
//
// It never decides what is due or does it by itself: that is the domains', which it asks. No right
// depends on it: deadlines end rights whether or not it runs (package lifecycle).
package rotation

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Task is something that a deadline asks to be done.
type Task struct {
	// Do is rotate, deprecate, expire, record, erase-material, destroy or resume; look, of what could not be
	// read.
	Do string `json:"do"`
	// At is when it is, or was, due.
	At time.Time `json:"at"`
	// ARN names what it is done to; of a key KeyID, Type and Alias, and Version of one version, say it too.
	ARN     string `json:"arn"`
	KeyID   string `json:"key_id,omitzero"`
	Version uint32 `json:"version,omitzero"`
	Type    string `json:"type,omitzero"`
	Alias   string `json:"alias,omitzero"`
	// Credential is the id of a credential of the principal that ARN names.
	Credential string `json:"credential,omitzero"`
	// ExpiresAt is when the cryptoperiod ends of what is to be rotated.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Waits says why it cannot be done until somebody does something else first: needs_material,
	// disabled, still_wraps, or master_ and what its master key is. Absent where nothing hinders it.
	Waits string `json:"waits,omitzero"`
	// NewVersion is the version that a rotation made.
	NewVersion uint32 `json:"new_version,omitzero"`
	// Error says why it could not be done: a code of the API, and its detail.
	Error  string `json:"error,omitzero"`
	Detail string `json:"detail,omitzero"`

	// Settle does it, in the name of the call, and tells whether there was anything left to do. nil: a
	// [Sweep] does.
	Settle func(context.Context, *gate.Call) (done bool, newVersion uint32, err error) `json:"-"`
}

// Source tells of a domain's items what deadlines ask to be done about one, whether or not their time
// has come.
type Source func(ctx context.Context, item *store.Item) ([]Task, error)

// Sweep deletes items that were forgotten when their time came, in the name of the call: of some that
// are gone or not to be deleted it says nothing.
type Sweep func(ctx context.Context, c *gate.Call, items []store.Item) (deleted int, err error)

// MaxSweep is how many items are given to a [Sweep] at once: as many as one record tells of.
const MaxSweep = 48

// Config says whom a Scheduler asks. Everything but Log is required.
type Config struct {
	Gate    *gate.Gate
	View    *gate.View
	Sources map[store.Kind]Source
	Sweeps  map[store.Kind]Sweep
	Log     *slog.Logger
	// Notice is told, by each scheduled check, what a person should know of before it happens, and what
	// waits for one. Optional.
	Notice func(context.Context, []Task)
	// Advance lets time pass, on both clocks, where the clock can be moved: see AdvanceClock. nil: it
	// cannot.
	Advance func(time.Duration) error
}

// Scheduler is the Rotation Scheduler. Its methods may be called from several goroutines.
type Scheduler struct {
	cfg Config
	// changed is ready when the schedule was changed through this Scheduler.
	changed chan struct{}
	figures figures
}

// New makes a scheduler. It does nothing by itself: see [Scheduler.Next].
func New(cfg Config) *Scheduler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Scheduler{cfg: cfg, changed: make(chan struct{}, 1)}
}

// figures are what the last checks of this process found.
type figures struct {
	done, failed, swept atomic.Uint64
	waiting, overdue    atomic.Int64
	coming              atomic.Int64
	checked             atomic.Int64 // when, seconds since 1970 UTC
}

// Figures are counts since the process began, and what the last check left.
type Figures struct {
	// Done, Failed and Swept count what checks did, could not do, and deleted.
	Done, Failed, Swept uint64
	// Waiting is what the last check found due that waits for somebody; Overdue is that and what it
	// could not do.
	Waiting, Overdue int64
	// Coming is what comes due in the 7 days after the last scheduled check, MaxChecked at most.
	Coming int64
	// Checked is when the last check of this process ended; zero: there was none.
	Checked time.Time
}

// Figures returns the figures.
func (s *Scheduler) Figures() Figures {
	f := Figures{
		Done: s.figures.done.Load(), Failed: s.figures.failed.Load(), Swept: s.figures.swept.Load(),
		Waiting: s.figures.waiting.Load(), Overdue: s.figures.overdue.Load(), Coming: s.figures.coming.Load(),
	}
	if at := s.figures.checked.Load(); at != 0 {
		f.Checked = time.Unix(at, 0).UTC()
	}
	return f
}
