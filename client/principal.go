package client

import (
	"context"
	"time"
)

// PrincipalKind is what a principal is.
type PrincipalKind string

// The kinds of principals.
const (
	User    PrincipalKind = "user"    // a person
	Service PrincipalKind = "service" // a program
	Role    PrincipalKind = "role"    // what others assume
)

// Principal is who may call.
type Principal struct {
	ID            string            `json:"id"`
	ARN           string            `json:"arn"`
	Name          string            `json:"name"`
	Kind          PrincipalKind     `json:"kind"`
	Administrator bool              `json:"administrator,omitzero"` // the account itself, whatever policies say
	Disabled      bool              `json:"disabled"`
	Tags          map[string]string `json:"tags,omitzero"`
	Groups        []string          `json:"groups,omitzero"` // their names
	CreatedAt     time.Time         `json:"created_at"`
}

// CreatePrincipalRequest says what principal to create. Kind and Name are required.
type CreatePrincipalRequest struct {
	Kind PrincipalKind     `json:"kind"`
	Name string            `json:"name"`
	Tags map[string]string `json:"tags,omitzero"`
	// Of a role: the policy document that says who may assume it, nobody if empty, and how long its
	// sessions last at most, 3,600 if 0.
	Trust             string `json:"trust,omitzero"`
	MaxSessionSeconds int    `json:"max_session_seconds,omitzero"`
}

// CreatePrincipal creates a principal. It has no right and no credential until it is given some.
func (c *Client) CreatePrincipal(ctx context.Context, request CreatePrincipalRequest) (*Principal, error) {
	return call[CreatePrincipalRequest, Principal](ctx, c, operation{"create-principal", true}, request)
}

type principalRequest struct {
	Principal string `json:"principal"`
}

// DescribePrincipal returns a principal's document. A principal is named, here and everywhere, by ARN,
// user/NAME, role/NAME, or the bare NAME of a user or service.
func (c *Client) DescribePrincipal(ctx context.Context, principal string) (*Principal, error) {
	return call[principalRequest, Principal](ctx, c, operation{name: "describe-principal"}, principalRequest{principal})
}

// ListPrincipalsRequest asks for a page of principals. All fields are optional.
type ListPrincipalsRequest struct {
	Kind   PrincipalKind `json:"kind,omitzero"`
	Prefix string        `json:"prefix,omitzero"` // what names begin with
	Limit  int           `json:"limit,omitzero"`
	Cursor string        `json:"cursor,omitzero"`
}

// PrincipalPage is a page of principals by name; NextCursor is empty at the end. With a kind a page may
// be short, even empty, before the end.
type PrincipalPage struct {
	Principals []Principal `json:"principals"`
	NextCursor string      `json:"next_cursor,omitzero"`
}

// ListPrincipals returns a page of principals.
func (c *Client) ListPrincipals(ctx context.Context, request ListPrincipalsRequest) (*PrincipalPage, error) {
	return call[ListPrincipalsRequest, PrincipalPage](ctx, c, operation{name: "list-principals"}, request)
}

// UpdatePrincipalRequest changes what is set of it; Principal is required.
type UpdatePrincipalRequest struct {
	Principal  string            `json:"principal"`
	Tags       map[string]string `json:"tags,omitzero"`        // added, or given other values
	RemoveTags []string          `json:"remove_tags,omitzero"` // by name
	Disabled   *bool             `json:"disabled,omitzero"`    // true: none of its credentials proves anything
}

// UpdatePrincipal changes a principal. When it has returned, every later operation meets it so.
func (c *Client) UpdatePrincipal(ctx context.Context, request UpdatePrincipalRequest) (*Principal, error) {
	return call[UpdatePrincipalRequest, Principal](ctx, c, operation{"update-principal", true}, request)
}

// DeletePrincipal deletes a principal with its credentials, memberships and inline policies. Its name
// is free then; who gets it inherits nothing.
func (c *Client) DeletePrincipal(ctx context.Context, principal string) error {
	_, err := call[principalRequest, struct{}](ctx, c, operation{"delete-principal", true}, principalRequest{principal})
	return err
}

// Caller is who the server takes the caller for.
type Caller struct {
	Account string `json:"account"`
	ARN     string `json:"arn"`
	ID      string `json:"id"` // of a session, ROLE:SESSION
}

// GetCallerIdentity tells who the caller is. It needs no permission.
func (c *Client) GetCallerIdentity(ctx context.Context) (*Caller, error) {
	return call[struct{}, Caller](ctx, c, operation{name: "get-caller-identity"}, struct{}{})
}
