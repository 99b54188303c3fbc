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
