// Package gate is the one door: every operation of every surface comes in through Begin, goes
// through Do, and leaves a durable record before its answer does.
//
// It guarantees:
//   - nothing is done that was not authenticated, authorized, and allowed by the lifecycle table;
//   - each authenticated call leaves exactly one record, allowed, denied or failed, and no answer
//     leaves before its record is durable;
//   - an operation passes only if nothing it used changed between its reading it and its becoming
//     durable: when a call that takes a right away has returned, every operation invoked later
//     fails, without waiting for anybody and without trusting a clock;
//   - if the store does not answer, nothing passes.
//
// It knows no keys and no secrets: the domains (keys, identity, vault) give it functions to run
// and changes to stage. It never retries what has an effect, and it never decides by a cached
// value that a change may have overtaken.
package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// ViewConfig is what a View is made of. Every field is required but Tampered
// and ClockGap.
type ViewConfig struct {
	Store   store.Store
	Clock   clock.Clock
	MAC     MAC
	StoreID ID
	// Tampered is told of each item that failed its check, for an alarm; nil: nobody is.
	Tampered func(store.Ref)
	// ClockGap is how long after the newest record the wall clock is taken up: see NewTimeline.
	ClockGap time.Duration
}

// NewView reads and checks what the gate guards: the newest frame's guard and the stops chain.
// It returns an error matching Tampered when they are not what Haven wrote.
func NewView(ctx context.Context, cfg ViewConfig) (*View, error) {
	head, err := cfg.Store.Head(ctx)
	if err != nil {
		return nil, asError(err)
	}
	v := &View{store: cfg.Store, mac: cfg.MAC, storeID: cfg.StoreID, tampered: cfg.Tampered}
	guard, last, err := lastGuard(ctx, cfg.Store, cfg.MAC, head)
	if err != nil {
		return nil, err
	}
	v.recent = newRecent(head.Epoch.N)
	alarm, err := v.clockAlarm(ctx)
	if err != nil {
		return nil, err
	}
	v.time = NewTimeline(cfg.Clock, Believed{At: last, Alarm: alarm}, cfg.ClockGap)
	v.head, v.access = head, guard.access
	if v.stops, err = loadStops(ctx, v); err != nil {
		return nil, err
	}
	if v.stops.position() != guard.stops {
		return nil, &Error{Code: Tampered, Detail: "the store's list of stopped keys is not the journal's: one of them was rolled back; restore both from the same backup",
			cause: fmt.Errorf("%w: %d stops in the store, %d in the journal", store.ErrCorrupt, v.stops.count, guard.stops.count)}
	}
	return v, nil
}

// lastGuard reads the guard and the time of the newest frame.
func lastGuard(ctx context.Context, s store.Store, mac MAC, head store.Head) (guarded, time.Time, error) {
	if head.Position == 0 {
		return guarded{}, time.Time{}, nil
	}
	for f, err := range s.Records(ctx, head.Position-1) {
		if err != nil {
			return guarded{}, time.Time{}, asError(err)
		}
		frame, err := journal.DecodeFrame(f.Data)
		if err != nil {
			return guarded{}, time.Time{}, asError(fmt.Errorf("%w: %w", store.ErrCorrupt, err))
		}
		g, err := readGuard(mac, &frame.Header)
		return g, time.Unix(0, frame.Time), err
	}
	return guarded{}, time.Time{}, asError(fmt.Errorf("%w: the journal ends before its head", store.ErrCorrupt))
}

// Config is what a Gate is made of. Every field is required but Region, Log and Failed.
type Config struct {
	View          *View
	Random        io.Reader
	Authenticator Authenticator
	Resolver      Resolver
	// Advance makes the transition of a key that a deadline brought and an operation waits for
	// (lifecycle.ReasonRotateFirst, lifecycle.ReasonResumeFirst), as a recorded operation of its
	// own within the call; then the operation runs again.
	Advance func(ctx context.Context, c *Call, key ID, why lifecycle.Reason) error
	// Authorize decides; it must be pure: access.Decide, or another evaluator.
	Authorize func(*access.Request) access.Decision
	// Granted is told by which grant a caller may do what it asked for; nil: nobody is told. It must
	// be quick.
	Granted func(grant string)
	// Region is aws:RequestedRegion.
	Region string
	// Approvals tells what others approved.
	Approvals Approvals
	// Log is for causes that no answer may tell; nil discards them.
	Log *slog.Logger
	// Failed is told that the storage failed: the process must stop with exit code 74. It may be
	// told more than once, by several goroutines. nil: nobody is; the gate refuses everything from
	// then on either way.
	Failed func(error)
}

// Gate is the door. Its methods may be called from several goroutines.
type Gate struct {
	view      *View
	random    io.Reader
	auth      Authenticator
	resolver  Resolver
	advance   func(context.Context, *Call, ID, lifecycle.Reason) error
	authorize func(*access.Request) access.Decision
	granted   func(grant string)
	region    string
	approvals Approvals
	actions   map[string]access.Action // by the name that the table has
	log       *slog.Logger
	seq       *sequencer
	stats     Stats
	// unproven calls proved nobody; limited ones were over their principal's rate.
	unproven, limited strangers
	refusals          refusals
}

// Stats counts what the gate did, since it was opened.
type Stats struct {
	batches, records, refused, reruns, contended, unauthenticated, rateLimited atomic.Uint64
}

// Counters is a snapshot of Stats.
type Counters struct {
	// Batches and Records became durable; Refused operations could not, because the store did
	// not answer.
	Batches, Records, Refused uint64
	// Reruns ran again because something they used had changed; Contended gave up after that.
	Reruns, Contended uint64
	// Unauthenticated calls proved nobody; RateLimited ones were over their principal's rate.
	Unauthenticated, RateLimited uint64
}

// New opens the gate; Close ends it.
func New(cfg Config) *Gate {
	g := &Gate{
		view: cfg.View, random: cfg.Random, auth: cfg.Authenticator, resolver: cfg.Resolver,
		advance: cfg.Advance, authorize: cfg.Authorize, granted: cfg.Granted, region: cfg.Region, approvals: cfg.Approvals, log: cfg.Log, actions: map[string]access.Action{},
		unproven: strangers{refusal: Unauthenticated}, limited: strangers{refusal: RateLimited},
	}
	for _, op := range append(Operations(), GenerateDataKeyWithoutPlaintext, GenerateDataKeyPairWithoutPlaintext) {
		for _, row := range []*Operation{op, op.of(1)} {
			g.actions[row.Permission], _ = access.ActionOf(row.Permission)
		}
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	v := cfg.View
	g.seq = &sequencer{
		view: v, store: v.store, random: cfg.Random, stats: &g.stats, failed: cfg.Failed,
		open: newBatch(), urgent: newBatch(), wake: make(chan struct{}, 1), ended: make(chan struct{}),
		head: v.head, access: v.access,
	}
	g.seq.stall.clock = v.time.clock
	g.seq.applied.set(v.head.Epoch)
	go g.seq.run()
	return g
}

// Close records what is still to be counted, lets what is under way finish and stops. Later calls
// are refused as Unavailable.
func (g *Gate) Close() {
	g.RecordStrangers()
	g.seq.close()
}

// View returns the gate's reading side.
func (g *Gate) View() *View { return g.view }

// Counters returns what the gate counted.
func (g *Gate) Counters() Counters {
	return Counters{
		Batches: g.stats.batches.Load(), Records: g.stats.records.Load(), Refused: g.stats.refused.Load(),
		Reruns: g.stats.reruns.Load(), Contended: g.stats.contended.Load(),
		Unauthenticated: g.stats.unauthenticated.Load(), RateLimited: g.stats.rateLimited.Load(),
	}
}

// LowSpace tells whether only restricting operations are accepted for want of space.
func (g *Gate) LowSpace() bool { return g.view.store.Limits().LowSpace }

// Begin notes the epoch, then proves who calls. The epoch comes first: a change that returns
// later than this is met by the operation. It returns an error matching Unauthenticated, which
// was counted, when the proof proves nobody, and one matching Unavailable at once while the store
// hangs. The call is returned with an error too, for its request id; it cannot be done then.
func (g *Gate) Begin(ctx context.Context, op *Operation, proof Proof) (*Call, error) {
	now := g.view.Now()
	proof.At = now
	c, err := newCall(op, proof, now, g.random)
	if err != nil {
		c.unproven = true
		return c, err
	}
	if g.Stalled() {
		g.seq.refuse()
		c.unproven = true
		return c, turnedAway()
	}
	if err := g.authenticate(ctx, c); err != nil {
		switch {
		case errors.Is(err, Unauthenticated):
			g.stats.unauthenticated.Add(1)
			g.stranger(c, &g.unproven)
		case errors.Is(err, Unavailable):
			g.seq.refuse()
		}
		c.unproven = true
		return c, g.logged(c, err)
	}
	return c, nil
}

// Limit counts a call that was over its principal's rate, as calls that prove nobody are counted:
// one record tells of many, and whose they were if they were all one principal's. It returns the
// error to answer.
func (g *Gate) Limit(c *Call) error {
	g.stats.rateLimited.Add(1)
	g.stranger(c, &g.limited)
	return Errorf(RateLimited, "too many calls; slow down and try again")
}

// newCall makes a call with its id and salts, in one reading of random.
func newCall(op *Operation, proof Proof, now time.Time, random io.Reader) (*Call, error) {
	c := &Call{op: op, caller: &caller{proof: proof}}
	if _, err := io.ReadFull(random, c.drawn[:]); err != nil {
		return c, &Error{Code: Internal, Detail: "no randomness", cause: err}
	}
	c.request = makeID(now, [randomOfID]byte(c.drawn[:]))
	return c, nil
}

func (g *Gate) authenticate(ctx context.Context, c *Call) error {
	c.personal = nil // it names the principal
	resets, _ := g.view.recent.takenBack()
	c.reading.begin(g.seq.applied.get().N, resets)
	principal, err := g.auth.Authenticate(ctx, &c.reading, &c.proof)
	if err != nil { // the record names who began the call
		return g.seq.broken(err)
	}
	c.principal = principal
	return nil
}

// Item returns the call for one item of a batch call: it leaves its own record, under the same
// request id.
func (c *Call) Item(op *Operation, i int) *Call {
	item := &Call{caller: c.caller, op: op, batch: true, item: uint16(i)}
	item.reading.follow(&c.reading)
	return item
}

// Own begins work that Haven does by itself within a call, in the caller's name. It notes the epoch
// and authenticates anew: what the call read may be older than what the work rests on.
func (g *Gate) Own(ctx context.Context, c *Call, op *Operation) (*Call, error) {
	own, err := newCall(op, c.proof, g.view.Now(), g.random)
	if err != nil {
		return nil, err
	}
	own.principal, own.system = c.principal, true
	return own, g.authenticate(ctx, own)
}

// Look returns a reading for looking at things outside of an operation: what is loaded with it the caches
// keep, and nothing is decided by it.
func (g *Gate) Look() *Reading {
	r := new(Reading)
	resets, _ := g.view.recent.takenBack()
	r.begin(g.seq.applied.get().N, resets)
	return r
}

// Refuse records that an authenticated call was not understood, or was over a limit, and returns
// the error to answer. err should be an *Error; anything else becomes Internal.
func (g *Gate) Refuse(ctx context.Context, c *Call, err error) error {
	return g.refuse(ctx, c, &Request{}, err)
}

func (g *Gate) logged(c *Call, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e.cause != nil {
		g.log.Error("operation failed", slog.String("operation", c.op.Name), slog.String("request_id", c.request.String()),
			slog.String("reason", e.Code.String()), slog.Any("error", e.cause))
	}
	return err
}
