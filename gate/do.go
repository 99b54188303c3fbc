package gate

import (
	"cmp"
	"context"
	"errors"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/internal/fault"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// errMoved says within the gate that what an operation used changed: it runs again.
var errMoved = errors.New("gate: moved")

// Function is what an operation does once it is approved: compute, and stage changes. It may run
// more than once and must have no effect of its own.
type Function func(Approved) (Outcome, error)

// maxAdvances is how many transitions one operation waits for: the key and the key that wraps it
// may each have been disabled for a time, and be at the end of a cryptoperiod.
const maxAdvances = 4

// Do resolves, authorizes, checks the state, runs fn, and makes record and changes durable; when
// it returns nil they are, and the answer may leave. An error it returns is the *Error to answer;
// its record is durable too, unless the error matches Unavailable or NoSpace.
func (g *Gate) Do(ctx context.Context, c *Call, req Request, fn Function) error {
	advanced := 0
	for attempt := 0; ; attempt++ {
		e, answer := g.stage(ctx, c, &req, fn)
		if key, why, due := waits(answer); due && advanced < maxAdvances {
			advanced++
			if err := g.advance(ctx, c, key, why); err == nil || c.op.Restricts { // taking a right away waits for nothing
				attempt--
				answer = g.authenticate(ctx, c)
				if answer == nil {
					continue
				}
				e = g.failure(c, &req, nil, asError(answer))
			}
		}
		err := g.leave(ctx, e)
		if err == nil {
			err = answer
		}
		if !errors.Is(err, errMoved) {
			c.haveAsked(err)
			return g.logged(c, err)
		}
		if err := g.again(ctx, c, attempt); err != nil {
			return g.refuse(ctx, c, &req, err)
		}
	}
}

// refuse records that the call came to nothing and returns the error to answer.
func (g *Gate) refuse(ctx context.Context, c *Call, req *Request, err error) error {
	e := asError(err)
	if failed := g.leave(ctx, g.failure(c, req, nil, e)); failed != nil {
		return g.logged(c, failed)
	}
	return g.logged(c, e)
}

// Work is one of several operations that are made durable together: see [Gate.DoAll].
type Work struct {
	Call    *Call
	Request Request
	Do      Function
}

// DoAll does what Do does for each piece of work, in order, and waits once for all of them; the
// errors stand in the same order. The pieces are independent: one may fail and the next pass.
func (g *Gate) DoAll(ctx context.Context, work []Work) []error {
	answers := make([]error, len(work))
	entries := make([]*entry, 0, len(work))
	staged := make([]int, 0, len(work))
	for i := range work {
		w := &work[i]
		e, answer := g.stage(ctx, w.Call, &w.Request, w.Do)
		answers[i] = answer
		if _, _, due := waits(answer); due {
			answers[i] = g.Do(ctx, w.Call, w.Request, w.Do)
		} else if e != nil {
			entries, staged = append(entries, e), append(staged, i)
		}
	}
	late := g.leaveAll(ctx, entries)
	for k, i := range staged {
		e := entries[k]
		switch {
		case late != nil:
			answers[i] = late
		case e.err == nil && e.moved:
			g.stats.reruns.Add(1)
			w := &work[i]
			if err := g.authenticate(ctx, w.Call); err != nil {
				answers[i] = g.refuse(ctx, w.Call, &w.Request, err)
			} else {
				answers[i] = g.Do(ctx, w.Call, w.Request, w.Do)
			}
			continue // it was logged
		case e.answer() != nil:
			answers[i] = e.answer()
		}
		answers[i] = g.logged(work[i].Call, answers[i])
	}
	return answers
}

// again prepares another run of an operation whose ground moved: once, or, if it takes rights
// away, until its deadline.
func (g *Gate) again(ctx context.Context, c *Call, attempt int) error {
	if attempt >= 1 && !(c.op.Restricts && ctx.Err() == nil) {
		g.stats.contended.Add(1)
		return Errorf(Contended, "what the operation used changed twice meanwhile; try again")
	}
	g.stats.reruns.Add(1)
	return g.authenticate(ctx, c)
}

// waits tells whether an operation was refused only because a transition that a deadline brought is
// not recorded yet, and of which key.
func waits(err error) (key ID, why lifecycle.Reason, due bool) {
	if err == nil {
		return ID{}, "", false
	}
	var e *Error
	if !errors.As(err, &e) {
		return ID{}, "", false
	}
	why = lifecycle.Reason(e.Reason)
	return e.Key, why, why == lifecycle.ReasonRotateFirst || why == lifecycle.ReasonResumeFirst
}

// stage is one way through the gate up to the batch: it returns the operation's entry and its
// answer, which is nil when it passed. The entry is nil when there is nothing to make durable
// because the store did not answer; then there is an answer.
func (g *Gate) stage(ctx context.Context, c *Call, req *Request, fn Function) (*entry, error) {
	a := Approved{call: c, targets: c.target[:0], now: g.view.Now().UnixNano(), gate: g}
	refuse := func(err error) (*entry, error) {
		e := asError(err)
		if e.Code == Unavailable || e.Code == NoSpace { // the record would meet the same store
			g.seq.refuse()
			return nil, g.seq.broken(e)
		}
		refused := g.failure(c, req, a.targets, e)
		if refused != nil && !fault.Mutant("refusal-not-checked-again") {
			refused.reading = &c.reading
		}
		return refused, e
	}
	if c.asks() {
		req = c.approval.asking.of(req)
	}
	idempotent := c.idempotency != "" && req.Replay != nil
	if err := g.approve(ctx, c, req, &a); err != nil {
		if idempotent && (req.consumes(err) || c.approval != nil && errors.Is(err, AccessDenied)) {
			if e, _, err := g.repeated(ctx, c, req, a); err != nil {
				return refuse(err)
			} else if e != nil {
				return e, nil
			}
		}
		return refuse(err)
	}
	var remembered *store.Item
	if idempotent {
		e, before, err := g.repeated(ctx, c, req, a)
		if err != nil {
			return refuse(err)
		}
		if e != nil {
			return e, nil
		}
		remembered = before
	}
	if c.asks() {
		fn = func(a Approved) (Outcome, error) { return g.ask(a, req) }
	}
	outcome, err := fn(a)
	if err != nil {
		if idempotent {
			// The same call may have been done since: then its own effect is what stands in this
			// one's way.
			if e, _, _ := g.repeated(ctx, c, req, a); e != nil {
				return e, nil
			}
		}
		return refuse(err)
	}
	if idempotent {
		outcome.Changes = append(outcome.Changes, g.remember(c, a, remembered, outcome.Answer))
	}
	c.useApproval(&outcome)
	e, err := g.success(c, req, a, outcome, 0)
	if err != nil {
		return refuse(err)
	}
	return e, nil
}

// repeated makes the entry of a call whose idempotency key has an answer, and gives it that answer;
// nil when it has none. before is a forgotten one.
func (g *Gate) repeated(ctx context.Context, c *Call, req *Request, a Approved) (e *entry, before *store.Item, err error) {
	done, before, err := g.replay(ctx, c, req, a)
	if err != nil || !done {
		return nil, before, err
	}
	e, err = g.success(c, req, a, Outcome{}, journal.Replay)
	return e, nil, err
}

// approve resolves what the request names, then asks whether the caller may, then whether the
// states allow it. Resources come first, so that who may not do something to them does not learn
// whether they are there; what others approved can be told only when all is known that it was to be.
func (g *Gate) approve(ctx context.Context, c *Call, req *Request, a *Approved) error {
	if c.unproven {
		return &Error{Code: Unauthenticated}
	}
	if c.approval == nil {
		if err := g.permitResources(c, req); err != nil {
			return err
		}
	}
	op := c.does()
	for i, ref := range req.References {
		target, err := g.resolver.Resolve(ctx, &c.reading, op.of(i), ref)
		if err != nil {
			return g.unresolved(c, req.needs(op, i), g.about(c, req.asked(i), nil, &target), err)
		}
		a.targets = append(a.targets, target)
	}
	if c.approval != nil {
		if err := g.permitApproved(ctx, c, req, a); err != nil {
			return err
		}
	}
	if len(a.targets) == 0 && len(req.Resources) == 0 && !req.EachItem {
		if err := g.permit(c, cmp.Or(req.As, op), g.about(c, &req.Asked, nil, &Target{})); err != nil {
			return err
		}
	}
	for i := range a.targets {
		if err := g.permit(c, req.needs(op, i), g.about(c, req.asked(i), a.targets, &a.targets[i])); err != nil {
			return err
		}
	}
	if err := g.master(ctx, c, req); err != nil {
		return err
	}
	for i := range a.targets {
		if err := usable(op.of(i), &a.targets[i], *a); err != nil {
			return err
		}
	}
	return nil
}

// permitResources asks whether the caller may do what it does to what the request names by ARN.
func (g *Gate) permitResources(c *Call, req *Request) error {
	op := cmp.Or(req.As, c.does())
	for _, arn := range req.Resources {
		if err := g.permit(c, op, g.about(c, &req.Asked, nil, &Target{ARN: arn})); err != nil {
			return err
		}
	}
	for _, need := range req.Needs {
		if err := g.permit(c, need.For, g.about(c, &Asked{}, nil, &Target{ARN: need.ARN})); err != nil {
			return err
		}
	}
	return nil
}

// master asks whether the caller may put keys under the master key that the request names.
func (g *Gate) master(ctx context.Context, c *Call, req *Request) error {
	if req.Master == (Reference{}) {
		return nil
	}
	target, err := g.resolver.Resolve(ctx, &c.reading, c.does().Onto, req.Master)
	asked := g.about(c, &Asked{}, nil, &target)
	if err != nil {
		return g.unresolved(c, c.does().Onto, asked, err)
	}
	return g.permit(c, c.does().Onto, asked)
}

// unresolved answers for a key that was not found, or whose items are not what Haven wrote: who may
// do the operation to it, or to every key where not even its ARN is known, learns that; anybody else
// learns what they would learn of a key that exists.
func (g *Gate) unresolved(c *Call, op *Operation, asked *access.Request, err error) error {
	if errors.Is(err, NotFound) || errors.Is(err, InvalidCiphertext) || errors.Is(err, Tampered) {
		if denied := g.permit(c, op, asked); denied != nil {
			if errors.Is(err, Tampered) {
				g.logged(c, err) // for the operator; the answer hides it
			}
			return denied
		}
	}
	return err
}

// permit decides about a request that about made.
func (g *Gate) permit(c *Call, op *Operation, asked *access.Request) error {
	if c.system || op.Permission == "" { // of a batch each item needs its own
		return nil
	}
	asked.Action = g.action(op)
	c.decision = g.authorize(asked)
	if c.decision.Allowed || fault.Mutant("everything-allowed") {
		if c.decision.By == access.ByGrant && g.granted != nil {
			g.granted(c.decision.Grant)
		}
		return nil
	}
	g.refusals.keep(c.request, c.principal.ID, asked)
	return c.denied(op)
}

func (c *Call) denied(op *Operation) *Error {
	return &Error{Code: AccessDenied, Decision: c.request,
		Detail: "you may not do " + op.Permission + " here; an administrator can explain decision " + c.request.String()}
}

// action is the permission that a row asks for. Rows without a number are rare and looked up.
func (g *Gate) action(op *Operation) access.Action {
	if a, ok := g.actions[op.Permission]; ok {
		return a
	}
	a, _ := access.ActionOf(op.Permission)
	return a
}

// usable asks the lifecycle table whether the target may be used as the operation does.
func usable(op *Operation, t *Target, a Approved) error {
	if op.Use == 0 {
		return nil
	}
	if t.Unfit != nil {
		return t.Unfit
	}
	if err := t.Check(op.Use, a.Time()); err != nil && !errors.Is(err, lifecycle.ErrUntrusted) {
		return err
	}
	return nil
}

// success makes the entry of an operation that passed.
func (g *Gate) success(c *Call, req *Request, a Approved, outcome Outcome, flags journal.Flags) (*entry, error) {
	r := newRecord(c, req, a.targets, a.now)
	r.Outcome = journal.Allowed
	r.Flags |= flags
	if !outcome.Key.IsZero() {
		r.Key = outcome.Key
	}
	if outcome.Version != 0 {
		r.Version = outcome.Version
	}
	if !outcome.Wrapping.IsZero() {
		r.Wrapping, r.WrappingVer = outcome.Wrapping, outcome.WrappingVer
	}
	if outcome.Recovery {
		r.Flags |= journal.Recovery
	}
	if outcome.Parameters != "" {
		r.Parameters = joinParameters(r.Parameters, outcome.Parameters)
	}
	e := &entry{reading: &c.reading, personal: c.committed().values, restrict: c.op.Restricts}
	if len(outcome.Changes)+len(outcome.Stops) > 0 {
		record, kept := r, outcome
		e.record, e.outcome = &record, &kept
		return e, nil
	}
	if err := e.encode(&r); err != nil {
		return nil, &Error{Code: Internal, cause: err}
	}
	return e, nil
}

// failure makes the entry of a denial or failure, nil only for a record that cannot be written. One
// that rests on what the call read is given its reading, and runs again when that moved: two
// items read at two moments can refuse what neither moment would.
func (g *Gate) failure(c *Call, req *Request, targets []Target, err *Error) *entry {
	r := newRecord(c, req, targets, g.view.Now().UnixNano())
	r.Outcome, r.Error = journal.Failed, uint16(err.Code)
	switch err.Code {
	case AccessDenied, Unauthenticated, RateLimited:
		r.Outcome, r.Decision = journal.Denied, err.Decision
	}
	e := &entry{personal: c.committed().values}
	if e.encode(&r) != nil || fault.Mutant("failure-not-recorded") {
		return nil
	}
	return e
}

// newRecord makes the part of a record that every outcome has.
func newRecord(c *Call, req *Request, targets []Target, now int64) journal.Record {
	r := journal.Record{
		Operation: c.op.Number, Time: now, Request: c.request, Principal: c.principal.ID,
		Reason: req.Reason, Parameters: req.Parameters, Commitments: c.committed().commitments,
	}
	if c.batch {
		r.Flags |= journal.BatchItem
		r.Item = c.item
	}
	if c.system {
		r.Flags |= journal.System
	}
	setContext(&r, req.Context)
	if len(targets) > 0 {
		t := &targets[0]
		r.Key, r.Version, r.Wrapping, r.WrappingVer = t.Key, t.Version, t.Wrapping, t.WrappingVer
		if t.Recovery {
			r.Flags |= journal.Recovery
		}
	}
	return r
}

// leave joins the open batch with an entry and waits for it: nil when it is durable. A caller that
// gave up does not take its entry with it: the record may still become durable, and overstates
// then.
func (g *Gate) leave(ctx context.Context, e *entry) error {
	if e == nil {
		return nil
	}
	if err := g.leaveAll(ctx, []*entry{e}); err != nil {
		return err
	}
	return e.answer()
}

// leaveAll joins the open batch with several entries and waits for all. When it returns an error
// the entries may still be the sequencer's.
func (g *Gate) leaveAll(ctx context.Context, entries []*entry) error {
	if len(entries) == 0 {
		return nil
	}
	if fault.Mutant("answer-without-record") && !entries[0].changes() {
		return nil
	}
	b := g.seq.join(entries[0].restrict, entries...)
	if b == nil {
		return Errorf(Unavailable, "the server is stopping")
	}
	if fault.Mutant("answer-before-commit") {
		return nil
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return Errorf(Unavailable, "the deadline came before the record was durable; whether it was done is not known")
	}
}
