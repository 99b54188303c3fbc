package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/haven-health/haven/gate"
)

// RequestApprovalRequest asks that others approve what Do is to ask for.
type RequestApprovalRequest struct {
	// Request is the operation's own request, canonical JSON (RFC 8785), which who approves is
	// shown; Body is its SHA-256. Both are empty of an operation at the machine.
	Request string
	Body    [32]byte
	// Reason is why, at most MaxReason bytes; Hours how long it is open, 0 for
	// DefaultApprovalHours.
	Reason string
	Hours  int
	// Do calls the operation with the call; nothing of it is done.
	Do func() error
}

// MaxReason is the longest reason, in bytes.
const MaxReason = 256

// Approval is a request for approvals, as its readers see it.
type Approval struct {
	ID        gate.ID           `json:"approval_id"`
	State     ApprovalState     `json:"state"`
	Operation string            `json:"operation"`
	Resources []string          `json:"resources"`
	Request   string            `json:"request,omitzero"`
	Reason    string            `json:"reason,omitzero"`
	Requester ApprovalPerson    `json:"requester"`
	Approvals []ApprovalConsent `json:"approvals"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	UsedAt    time.Time         `json:"used_at,omitzero"`
	UsedBy    gate.ID           `json:"used_by_request,omitzero"`
	Withdrawn time.Time         `json:"withdrawn_at,omitzero"`
}

// ApprovalPerson is a principal: its ARN, or its id alone once it is deleted.
type ApprovalPerson struct {
	ID  gate.ID `json:"id"`
	ARN string  `json:"arn,omitzero"`
}

// ApprovalConsent tells who approved, and when.
type ApprovalConsent struct {
	By ApprovalPerson `json:"by"`
	At time.Time      `json:"at"`
}

// RequestApproval asks that others approve an operation, which op names, before the caller does it. It
// fails like the operation where the caller might not do it even then.
func (m *Manager) RequestApproval(ctx context.Context, c *gate.Call, op *gate.Operation, req RequestApprovalRequest) (*Approval, error) {
	if err := req.check(op); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	id, err := gate.NewID(m.directory.view.Now(), m.random)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Approval
	stage := func(a gate.Approved, asked *gate.Approvable) (o gate.Outcome, err error) {
		if err := inPerson(a); err != nil {
			return o, err
		}
		if op.Internal && !a.Principal().Administrator {
			return o, gate.Errorf(gate.Conflict, "what is done at the machine is done in the administrator's name: the administrator asks for it")
		}
		b := &approvalBody{
			Requester: asked.Principal, Operation: asked.Operation, Keys: asked.Keys, Resources: asked.Resources,
			Request: req.Request, Reason: req.Reason, Created: a.Time(),
			Expires: a.Time().Add(time.Duration(req.Hours) * time.Hour),
		}
		if req.Request != "" {
			b.Body = asked.Body[:]
		}
		change, err := approvalChange(id, b, nil)
		if err != nil {
			return o, err
		}
		shown, err := m.showApproval(ctx, a, id, b)
		if err != nil {
			return o, err
		}
		out = *shown
		o.Answer, err = encode(shown)
		o.Changes = []gate.Change{change}
		o.Parameters = fmt.Sprintf("approval=%s;for=%s;hours=%d;body=%x", id, asked.Operation, req.Hours, asked.Body[:16])
		return o, err
	}
	c.Ask(gate.Asking{Operation: op, Body: req.Body, Reason: req.Reason, Stage: stage, Replay: replay(&out)})
	if err := req.Do(); err != nil {
		return nil, err
	}
	return &out, nil
}

func (r *RequestApprovalRequest) check(op *gate.Operation) error {
	if r.Hours == 0 {
		r.Hours = DefaultApprovalHours
	}
	switch {
	case op.HoldsSecret:
		return gate.Errorf(gate.InvalidRequest, "approvals are not asked for %s: its request holds a secret, which would be kept", op.Name)
	case !op.Mutates || op.Use != 0 || op == gate.RequestApproval || op == gate.Approve || op == gate.WithdrawApproval:
		return gate.Errorf(gate.InvalidRequest, "approvals are asked for what changes something, not for %s", op.Name)
	case len(r.Request) > maxRequest:
		return gate.Errorf(gate.InvalidRequest, "a request to be approved is at most %d bytes", maxRequest)
	case len(r.Reason) > MaxReason:
		return gate.Errorf(gate.InvalidRequest, "a reason is at most %d bytes", MaxReason)
	case r.Hours < 1 || r.Hours > MaxApprovalHours:
		return gate.Errorf(gate.InvalidRequest, "approvals are asked for 1 to %d hours", MaxApprovalHours)
	}
	return nil
}

// showApproval makes what readers see of an approval.
func (m *Manager) showApproval(ctx context.Context, a gate.Approved, id gate.ID, b *approvalBody) (*Approval, error) {
	out := &Approval{
		ID: id, State: b.state(a.Time()), Operation: b.Operation, Resources: slices.Concat(b.Resources, b.Keys), Request: b.Request, Reason: b.Reason,
		Approvals: []ApprovalConsent{}, CreatedAt: b.Created, ExpiresAt: b.Expires, UsedAt: b.Used, UsedBy: b.UsedBy, Withdrawn: b.Withdrawn,
	}
	var err error
	if out.Requester, err = m.person(ctx, a, b.Requester); err != nil {
		return nil, err
	}
	for _, v := range b.Voices {
		by, err := m.person(ctx, a, v.By)
		if err != nil {
			return nil, err
		}
		out.Approvals = append(out.Approvals, ApprovalConsent{by, v.At})
	}
	return out, nil
}

// person tells who has an id.
func (m *Manager) person(ctx context.Context, a gate.Approved, id gate.ID) (ApprovalPerson, error) {
	p, err := m.directory.principals.GetComposed(ctx, a.Reading(), id, m.directory.loadPrincipal)
	switch {
	case err == nil:
		return ApprovalPerson{id, p.ARN}, nil
	case isNobody(err):
		return ApprovalPerson{ID: id}, nil
	}
	return ApprovalPerson{}, err
}
