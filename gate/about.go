package gate

import (
	"errors"
	"strconv"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/lifecycle"
)

// asked returns what is asked of the i-th key of a request.
func (r *Request) asked(i int) *Asked {
	if i > 0 {
		return &r.Onto
	}
	return &r.Asked
}

// needs returns the row whose permission the caller needs for the i-th key of a request.
func (r *Request) needs(op *Operation, i int) *Operation {
	if i == 0 && r.As != nil {
		return r.As
	}
	return op.of(i)
}

// consumes tells whether a request may be refused because its own effect took away what it names, or
// what allowed it: so that its repetition is answered as it was.
func (r *Request) consumes(err error) bool {
	if len(r.References) > 0 && !r.References[0].Grant.IsZero() {
		return errors.Is(err, NotFound) || errors.Is(err, AccessDenied)
	}
	return errors.Is(err, NotFound) && len(r.Resources) > 0
}

// about makes the question whether the caller may do something to a target: all that a policy can
// ask of it. It lasts until the call asks the next. An ordinary operation costs no allocation.
func (g *Gate) about(c *Call, asked *Asked, targets []Target, t *Target) *access.Request {
	now := g.view.Now()
	q := &c.asked
	*q = access.Request{
		Principal: c.principal.Access, Time: now, Source: c.proof.Source, Secure: true,
		UserAgent: c.proof.UserAgent, Region: g.region, RequestTags: asked.Tags,
		Object: t.Object, Values: c.values[:0],
	}
	if len(asked.Context) > 0 {
		c.pairs = asked.Context
		q.Context = &c.pairs
	}
	if t.Object == nil && t.ARN != "" && t.ARN != "*" {
		c.object = access.Object{ARN: t.ARN, Account: c.principal.Access.Account}
		q.Object = &c.object
	}
	tell := func(k access.Key, text string) { q.Values = append(q.Values, access.Value{Key: k, Text: text}) }
	if c.approval != nil {
		tell(access.Approvals, strconv.Itoa(c.approval.count))
	}
	if asked.Algorithm.Key != 0 {
		q.Values = appendValue(q.Values, asked.Algorithm, t)
	}
	for _, v := range asked.Values {
		q.Values = appendValue(q.Values, v, t)
	}
	if t.Alias != "" {
		tell(access.RequestAlias, t.Alias)
	}
	if t.Version != 0 {
		tell(access.VersionState, lifecycle.Effective(t.State, t.Material, now).String())
	}
	if c.op == ReEncrypt && len(targets) == 2 {
		tell(access.ReEncryptOnSameKey, strconv.FormatBool(targets[0].Key == targets[1].Key))
	}
	return q
}

// appendValue appends a value, or what it is by default for the target; none where there is no
// default.
func appendValue(values []access.Value, v access.Value, t *Target) []access.Value {
	if v.Text != "" {
		return append(values, v)
	}
	for _, d := range t.Defaults {
		if d.Key == v.Key {
			return append(values, d)
		}
	}
	return values
}

// May tells whether the caller may also do op to an object, so asked: for what a list shows, and for
// what a change would leave its caller. It is no operation and leaves no record.
func (a Approved) May(op *Operation, o *access.Object, asked Asked) bool {
	c := a.must()
	if c.system {
		return true
	}
	q := a.gate.about(c, &asked, nil, &Target{Object: o})
	q.Action = a.gate.actions[op.Permission]
	return a.gate.authorize(q).Allowed
}

// Denied is the answer to who may not do op to anything that was asked for.
func (a Approved) Denied(op *Operation) *Error { return a.must().denied(op) }

// Decision is how the operation came to be allowed to the caller: of several keys, the last one's.
func (a Approved) Decision() access.Decision { return a.must().decision }

// Region is what aws:RequestedRegion is, whatever is asked.
func (a Approved) Region() string {
	a.must()
	return a.gate.region
}
