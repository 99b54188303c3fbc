package client

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Approval is a request that others approve an operation before it is done.
type Approval struct {
	ID string `json:"approval_id"`
	// State is open, used, withdrawn or expired.
	State     string   `json:"state"`
	Operation string   `json:"operation"`
	Resources []string `json:"resources"`
	// Request is exactly what will be sent: canonical JSON (RFC 8785).
	Request   string            `json:"request,omitzero"`
	Reason    string            `json:"reason,omitzero"`
	Requester ApprovalPerson    `json:"requester"`
	Approvals []ApprovalConsent `json:"approvals"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	UsedAt    time.Time         `json:"used_at,omitzero"`
	// UsedByRequest is the request id of the operation that used it up.
	UsedByRequest string    `json:"used_by_request,omitzero"`
	WithdrawnAt   time.Time `json:"withdrawn_at,omitzero"`
}

// ApprovalPerson is a principal: its ARN is absent once it is deleted.
type ApprovalPerson struct {
	ID  string `json:"id"`
	ARN string `json:"arn,omitzero"`
}

// ApprovalConsent tells who approved, and when.
type ApprovalConsent struct {
	By ApprovalPerson `json:"by"`
	At time.Time      `json:"at"`
}

// RequestApprovalRequest asks that others approve an operation. Request is the operation's own,
// anything that encodes as its JSON object. Hours is how long it is open: 0 for 24, at most 168.
type RequestApprovalRequest struct {
	Operation string `json:"operation"`
	Request   any    `json:"request"`
	Reason    string `json:"reason,omitzero"`
	Hours     int    `json:"hours,omitzero"`
}

// ListApprovalsRequest asks for a page of approvals: those open, or All.
type ListApprovalsRequest struct {
	All    bool   `json:"all,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// ApprovalPage is a page of approvals, newest first; NextCursor is empty at the end.
type ApprovalPage struct {
	Approvals  []Approval `json:"approvals"`
	NextCursor string     `json:"next_cursor,omitzero"`
}

// approvalRequest names an approval.
type approvalRequest struct {
	Approval string `json:"approval"`
}

// RequestApproval asks that others approve an operation before the caller does it by RunApproved.
func (c *Client) RequestApproval(ctx context.Context, req RequestApprovalRequest) (*Approval, error) {
	return call[RequestApprovalRequest, Approval](ctx, c, operation{"request-approval", true}, req)
}

// Approve approves what somebody else asked for.
func (c *Client) Approve(ctx context.Context, id string) (*Approval, error) {
	return call[approvalRequest, Approval](ctx, c, operation{"approve", true}, approvalRequest{id})
}

// DescribeApproval shows what is asked for, and who approved it.
func (c *Client) DescribeApproval(ctx context.Context, id string) (*Approval, error) {
	return call[approvalRequest, Approval](ctx, c, operation{name: "describe-approval"}, approvalRequest{id})
}

// ListApprovals lists what waits for approvals, newest first.
func (c *Client) ListApprovals(ctx context.Context, req ListApprovalsRequest) (*ApprovalPage, error) {
	return call[ListApprovalsRequest, ApprovalPage](ctx, c, operation{name: "list-approvals"}, req)
}

// WithdrawApproval ends a request for approvals: nothing is done by it any more.
func (c *Client) WithdrawApproval(ctx context.Context, id string) (*Approval, error) {
	return call[approvalRequest, Approval](ctx, c, operation{"withdraw-approval", true}, approvalRequest{id})
}

// RunApproved does what was approved: it sends the request that the approval keeps, and returns the
// operation's answer. An approval is used up by what it let pass.
func (c *Client) RunApproved(ctx context.Context, id string) (jsontext.Value, error) {
	approval, err := c.DescribeApproval(ctx, id)
	if err != nil {
		return nil, err
	}
	idempotencyKey, err := c.newIdempotencyKey()
	if err != nil {
		return nil, err
	}
	raw, err := c.sendRepeatedly(ctx, operation{approval.Operation, true}, []byte(approval.Request), idempotencyKey, approved(id))
	if err != nil {
		return nil, err
	}
	if v := jsontext.Value(raw); v.IsValid() {
		return v, nil
	}
	return nil, &Error{Operation: approval.Operation, Code: UnexpectedAnswer, Status: http.StatusOK, Detail: "the answer is not JSON"}
}

// approved puts an approval into a request's header.
func approved(id string) func(http.Header) {
	return func(h http.Header) { h.Set("Haven-Approval", id) }
}
