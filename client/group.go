package client

import (
	"context"
	"time"
)

// Group is a group, whose members have its policies.
type Group struct {
	ID        string    `json:"id"`
	ARN       string    `json:"arn"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

type createGroupRequest struct {
	Name string `json:"name"`
}

// CreateGroup creates a group without members and policies.
func (c *Client) CreateGroup(ctx context.Context, name string) (*Group, error) {
	return call[createGroupRequest, Group](ctx, c, operation{"create-group", true}, createGroupRequest{name})
}

// DescribeGroupRequest names a group, by ARN, group/NAME or NAME, and asks for a page of its members.
type DescribeGroupRequest struct {
	Group  string `json:"group"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// GroupMembers is a group with a page of its members; NextCursor is empty at the end.
type GroupMembers struct {
	ID         string    `json:"id"`
	ARN        string    `json:"arn"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"created_at"`
	Members    []Member  `json:"members"`
	NextCursor string    `json:"next_cursor,omitzero"`
}

// Member is a principal in a group.
type Member struct {
	ID       string        `json:"id"`
	ARN      string        `json:"arn"`
	Name     string        `json:"name"`
	Kind     PrincipalKind `json:"kind"`
	Disabled bool          `json:"disabled"`
}

// DescribeGroup returns a group and a page of its members.
func (c *Client) DescribeGroup(ctx context.Context, request DescribeGroupRequest) (*GroupMembers, error) {
	return call[DescribeGroupRequest, GroupMembers](ctx, c, operation{name: "describe-group"}, request)
}

// ListGroupsRequest asks for a page of groups. All fields are optional.
type ListGroupsRequest struct {
	Prefix string `json:"prefix,omitzero"` // what names begin with
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// GroupPage is a page of groups by name; NextCursor is empty at the end.
type GroupPage struct {
	Groups     []Group `json:"groups"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListGroups returns a page of groups.
func (c *Client) ListGroups(ctx context.Context, request ListGroupsRequest) (*GroupPage, error) {
	return call[ListGroupsRequest, GroupPage](ctx, c, operation{name: "list-groups"}, request)
}

type groupRequest struct {
	Group string `json:"group"`
}

// DeleteGroup deletes a group that nobody is in, with its inline policies.
func (c *Client) DeleteGroup(ctx context.Context, group string) error {
	_, err := call[groupRequest, struct{}](ctx, c, operation{"delete-group", true}, groupRequest{group})
	return err
}

// MembershipRequest names a principal and a group.
type MembershipRequest struct {
	Principal string `json:"principal"`
	Group     string `json:"group"`
}

// AddToGroup gives a user or service the policies of a group.
func (c *Client) AddToGroup(ctx context.Context, request MembershipRequest) (*Principal, error) {
	return call[MembershipRequest, Principal](ctx, c, operation{"add-to-group", true}, request)
}

// RemoveFromGroup takes the policies of a group from a principal: when it has returned, every later
// operation is decided without them.
func (c *Client) RemoveFromGroup(ctx context.Context, request MembershipRequest) (*Principal, error) {
	return call[MembershipRequest, Principal](ctx, c, operation{"remove-from-group", true}, request)
}
