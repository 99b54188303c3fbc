package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// ApprovalRequest names a request for approvals by its id.
type ApprovalRequest struct {
	Approval gate.ID `json:"approval"`
}

// inPerson refuses a session of a role: who asked may have assumed the role to approve, or the other way
// round.
func inPerson(a gate.Approved) error {
	if a.Principal().Access.RoleARN != "" {
		return gate.Errorf(gate.Conflict, "a session of a role neither asks for approvals nor approves: anybody may be behind it; use a credential of your own")
	}
	return nil
}

// Approve approves what somebody else asked for.
func (m *Manager) Approve(ctx context.Context, c *gate.Call, req ApprovalRequest) (*Approval, error) {
	return m.changeApproval(ctx, c, req, func(a gate.Approved, b *approvalBody) error {
		me := a.Principal()
		if err := inPerson(a); err != nil {
			return err
		}
		switch {
		case b.Requester == me.ID:
			return gate.Errorf(gate.Conflict, "you asked for it; others approve it")
		case b.heard(me.ID):
			return nil // as the caller said before
		case len(b.Voices) >= gate.MaxApprovals:
			return gate.Errorf(gate.LimitExceeded, "it has %d approvals, and nothing can have more", gate.MaxApprovals)
		}
		b.Voices = append(b.Voices, voice{me.ID, a.Time()})
		return nil
	})
}

// WithdrawApproval ends a request for approvals that was not used; who asked, and who may approve it,
// can.
func (m *Manager) WithdrawApproval(ctx context.Context, c *gate.Call, req ApprovalRequest) (*Approval, error) {
	return m.changeApproval(ctx, c, req, func(a gate.Approved, b *approvalBody) error {
		b.Withdrawn = a.Time()
		return nil
	})
}

// changeApproval changes an open approval. The caller needs the operation's permission for every
// resource that the approval is about; that of an approval which does not exist is asked for "*".
func (m *Manager) changeApproval(ctx context.Context, c *gate.Call, req ApprovalRequest, change func(gate.Approved, *approvalBody) error) (*Approval, error) {
	about, err := m.aboutApproval(ctx, req.Approval)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out *Approval
	about.Replay = replay(&out)
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (o gate.Outcome, err error) {
		b, item, err := m.directory.loadApproval(ctx, a.Reading(), req.Approval)
		switch {
		case err != nil:
			return o, err
		case b == nil:
			return o, gate.Errorf(gate.NotFound, "no request for approvals of that id")
		}
		if s := b.state(a.Time()); s != ApprovalOpen {
			return o, &gate.Error{Code: gate.InvalidState, Reason: "approval_" + string(s), Detail: "the request for approvals is " + string(s) + "; ask again with request-approval"}
		}
		if err := change(a, b); err != nil {
			return o, err
		}
		staged, err := approvalChange(req.Approval, b, item)
		if err != nil {
			return o, err
		}
		if out, err = m.showApproval(ctx, a, req.Approval, b); err != nil {
			return o, err
		}
		o.Changes = []gate.Change{staged}
		o.Parameters = "for=" + b.Operation
		o.Answer, err = encode(out)
		return o, err
	})
	return out, err
}

// aboutApproval returns a request about what an approval is about, which never changes.
func (m *Manager) aboutApproval(ctx context.Context, id gate.ID) (gate.Request, error) {
	r := gate.Request{Parameters: "approval=" + id.String()}
	if id.IsZero() {
		return r, gate.Errorf(gate.InvalidRequest, "approval is an id that request-approval answered")
	}
	items, _, err := m.directory.view.Get(ctx, approvalRef(id))
	if err != nil {
		return r, err
	}
	if items[0].Revision == 0 {
		r.Resources = []string{"*"}
		return r, nil
	}
	b, err := decodeApproval(&items[0])
	if err != nil {
		return r, err
	}
	r.Resources = b.Resources
	for _, key := range b.Keys {
		r.References = append(r.References, gate.Reference{Text: key})
	}
	return r, nil
}

// DescribeApproval shows a request for approvals.
func (m *Manager) DescribeApproval(ctx context.Context, c *gate.Call, req ApprovalRequest) (*Approval, error) {
	about, err := m.aboutApproval(ctx, req.Approval)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out *Approval
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (o gate.Outcome, err error) {
		b, _, err := m.directory.loadApproval(ctx, a.Reading(), req.Approval)
		switch {
		case err != nil:
			return o, err
		case b == nil:
			return o, gate.Errorf(gate.NotFound, "no request for approvals of that id")
		}
		out, err = m.showApproval(ctx, a, req.Approval, b)
		return o, err
	})
	return out, err
}

// ListApprovalsRequest asks for requests for approvals.
type ListApprovalsRequest struct {
	// All lists those too that were used, withdrawn, or are over.
	All    bool   `json:"all,omitzero"`
	Limit  int    `json:"limit,omitzero"` // 1 to 100, 100 if 0
	Cursor string `json:"cursor,omitzero"`
}

// ApprovalPage is a page of requests for approvals, newest first.
type ApprovalPage struct {
	Approvals  []*Approval `json:"approvals"`
	NextCursor string      `json:"next_cursor,omitzero"`
}

// ListApprovals lists requests for approvals, newest first.
func (m *Manager) ListApprovals(ctx context.Context, c *gate.Call, req ListApprovalsRequest) (*ApprovalPage, error) {
	out := &ApprovalPage{Approvals: []*Approval{}}
	after, ok := gate.ID{}, true
	if req.Cursor != "" {
		after, ok = gate.ParseID(req.Cursor)
	}
	if req.Limit == 0 {
		req.Limit = 100
	}
	if !ok || req.Limit < 1 || req.Limit > 100 {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "a cursor is what the page before gave, a limit is 1 to 100"))
	}
	err := m.gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (o gate.Outcome, err error) {
		q := store.Query{Kind: store.KindApproval, Reverse: true, Limit: req.Limit}
		if !req.All {
			q.Index, q.Value = indexOpen, openIndex
		}
		if !after.IsZero() {
			q.After = string(after[:])
		}
		page, err := m.directory.view.List(ctx, q)
		if err != nil {
			return o, err
		}
		out.Approvals, out.NextCursor = out.Approvals[:0], ""
		for i := range page.Items {
			b, err := decodeApproval(&page.Items[i])
			if err != nil {
				return o, err
			}
			id := idOf(page.Items[i].ID)
			if page.More {
				out.NextCursor = id.String()
			}
			if !req.All && b.state(a.Time()) != ApprovalOpen {
				continue
			}
			shown, err := m.showApproval(ctx, a, id, b)
			if err != nil {
				return o, err
			}
			out.Approvals = append(out.Approvals, shown)
		}
		return o, nil
	})
	return out, err
}
