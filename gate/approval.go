package gate

import (
	"context"
	"slices"

	"github.com/haven-health/haven/access"
)

// Approvable is exactly what an approval is about: one principal does one operation, with one body, to
// these resources. An approval of one thing is worth nothing for another.
type Approvable struct {
	Principal ID
	// Operation is its row's name.
	Operation string
	// Keys are the ARNs of the keys that the request named when it was asked for, and Resources those of
	// everything else, "*" where it named nothing.
	Keys, Resources []string
	// Body is the SHA-256 of the request's canonical JSON (RFC 8785); zero of a request that has
	// none, as of one at the machine.
	Body [32]byte
}

// Is tells whether two are the same.
func (a *Approvable) Is(b *Approvable) bool {
	return a.Principal == b.Principal && a.Operation == b.Operation && a.Body == b.Body && slices.Equal(a.Keys, b.Keys) && slices.Equal(a.Resources, b.Resources)
}

// Approvals knows what was approved. Package identity implements it.
type Approvals interface {
	// Approvers returns who approved what is asked, by the approval of an id, as they are now, and what
	// marks it as used by a request. It notes in r what the answer rests on. An approval that does not
	// exist, is of another thing, was used, withdrawn or is over has nobody; an error means that it
	// could not be told.
	Approvers(ctx context.Context, r *Reading, approval ID, asked *Approvable, request ID) (by []*Principal, use Change, err error)
}

// MaxApprovals is how many approvals one request may have: who would not be allowed something with
// as many cannot ask for approvals of it.
const MaxApprovals = 16

// approval is what a call carries of approvals, shared by nobody.
type approval struct {
	id   ID // that the caller named
	body [32]byte
	// Of an approved call: how many approved it, and the change that uses the approval up.
	count int
	use   Change
	// asking is set on a call that asks for approvals, of another operation.
	asking *Asking
}

// Asking is what a call does that asks for approvals, in the place of the operation that it asks for.
type Asking struct {
	Operation *Operation
	// Body is that of its [Approvable]; Reason is why, for the record.
	Body   [32]byte
	Reason string
	// Stage makes the request for approvals; Replay is given its Answer when it is repeated.
	Stage  func(Approved, *Approvable) (Outcome, error)
	Replay func(answer []byte) error

	done bool
}

// of is the request that asks, in the place of the one that it asks for.
func (p *Asking) of(req *Request) *Request {
	r := *req
	r.Replay, r.Reason = p.Replay, p.Reason
	return &r
}

// Approved names the approval that the caller says the call has, and the hash of what it asks: see
// [Approvable]. It gives no right by itself: policies may demand it, by haven:Approvals.
func (c *Call) Approved(id ID, body [32]byte) { c.approval = &approval{id: id, body: body} }

// Ask makes the call, which is one of [RequestApproval], ask that others approve an operation: Do
// resolves what that names and asks whether the caller might do it if others approved, and then
// stages the request for approvals in its place. Whatever domain is given the call next believes that
// it did the operation, and answers an empty answer.
func (c *Call) Ask(what Asking) { c.approval = &approval{asking: &what, count: MaxApprovals} }

// does returns the operation whose permission, targets and states a call is about.
func (c *Call) does() *Operation {
	if c.asks() {
		return c.approval.asking.Operation
	}
	return c.op
}

// asks tells whether the call asks for approvals of an operation.
func (c *Call) asks() bool { return c.approval != nil && c.approval.asking != nil }

// haveAsked notes that a call which asks for approvals did, once it has.
func (c *Call) haveAsked(err error) {
	if err == nil && c.asks() {
		c.approval.asking.done = true
	}
}

// useApproval stages, with what the operation does, that its approval is used up.
func (c *Call) useApproval(o *Outcome) {
	if p := c.approval; p != nil && p.use.Before != nil {
		o.Changes = append(o.Changes, p.use)
		o.Parameters = joinParameters(o.Parameters, "approval="+p.id.String())
	}
}

// asked makes what an approval of the call is about.
func (a *Approved) asked(req *Request, operation *Operation, body [32]byte) *Approvable {
	out := &Approvable{Principal: a.call.principal.ID, Operation: operation.Name, Resources: slices.Clone(req.Resources), Body: body}
	for i := range a.targets {
		out.Keys = append(out.Keys, a.targets[i].ARN)
	}
	if len(out.Keys) == 0 && len(out.Resources) == 0 {
		out.Resources = []string{"*"}
	}
	return out
}

// of returns what an approval is about as policies see it: the keys with their own policies.
func (a *Approved) of(asked *Approvable) []Target {
	out := slices.Clone(a.targets)
	for _, arn := range asked.Resources {
		out = append(out, Target{ARN: arn})
	}
	return out
}

// permitApproved asks whether the caller may do what it does to what the request names by ARN, as others
// approved it, and, if it asks for that, whether it may ask. A key that was not found was asked about
// before, with nobody's approval.
func (g *Gate) permitApproved(ctx context.Context, c *Call, req *Request, a *Approved) error {
	if err := g.countApprovals(ctx, c, req, a); err != nil {
		return err
	}
	if err := g.permitResources(c, req); err != nil {
		return err
	}
	if !c.asks() {
		return nil
	}
	for _, t := range a.of(a.asked(req, c.does(), c.approval.asking.Body)) {
		if err := g.permit(c, c.op, g.about(c, &Asked{}, nil, &t)); err != nil {
			return err
		}
	}
	return nil
}

// countApprovals finds out how many approved what a call is about.
func (g *Gate) countApprovals(ctx context.Context, c *Call, req *Request, a *Approved) error {
	p := c.approval
	p.count, p.use = 0, Change{}
	if p.asking != nil {
		p.count = MaxApprovals
		return nil
	}
	asked := a.asked(req, c.op, p.body)
	by, use, err := g.approvals.Approvers(ctx, &c.reading, p.id, asked, c.request)
	if err != nil {
		return err
	}
	p.use = use
	for _, approver := range by {
		if g.mayApprove(approver, a.of(asked)) {
			p.count++
		}
	}
	return nil
}

// mayApprove tells whether who approved might still do so.
func (g *Gate) mayApprove(by *Principal, what []Target) bool {
	for i := range what {
		t := &what[i]
		q := access.Request{Principal: by.Access, Action: g.action(Approve), Time: g.view.Now(), Secure: true, Region: g.region, Object: t.Object}
		if q.Object == nil && t.ARN != "*" {
			q.Object = &access.Object{ARN: t.ARN, Account: by.Access.Account}
		}
		if !g.authorize(&q).Allowed {
			return false
		}
	}
	return true
}

// ask stages a request for approvals in the place of what is asked for.
func (g *Gate) ask(a Approved, req *Request) (Outcome, error) {
	c := a.must()
	asking := c.approval.asking
	if asking.done {
		return Outcome{}, Errorf(Unsupported, "%s is done in several steps, which no one approval is of", asking.Operation.Name)
	}
	return asking.Stage(a, a.asked(req, asking.Operation, asking.Body))
}
