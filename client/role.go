package client

import (
	"context"
	"time"
)

// AssumeRoleRequest asks for a session of a role: Role and SessionName are required.
type AssumeRoleRequest struct {
	Role        string `json:"role"`         // an ARN, role/NAME or NAME
	SessionName string `json:"session_name"` // tells sessions of a role apart, in ARNs and records
	// DurationSeconds is 900 to the role's most; 0: an hour.
	DurationSeconds int `json:"duration_seconds,omitzero"`
	// Policy is a session policy: the session may nothing that it does not allow as well.
	Policy string `json:"policy,omitzero"`
}

// Session is a session of a role. Its token stands in this answer alone.
type Session struct {
	ID        string    `json:"id"`
	ARN       string    `json:"arn"`
	Token     string    `json:"token,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
	Replayed  bool      `json:"replayed,omitzero"` // the answer repeats an earlier one, without its token
}

// AssumeRole begins a session of a role. A Client made with its token acts for the role until
// ExpiresAt.
func (c *Client) AssumeRole(ctx context.Context, request AssumeRoleRequest) (*Session, error) {
	return call[AssumeRoleRequest, Session](ctx, c, operation{"assume-role", true}, request)
}
