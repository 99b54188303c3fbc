package client

import (
	"context"
	"time"
)

// AliasRequest names an alias, "alias/NAME", and the key to give it to. Both are required.
type AliasRequest struct {
	Alias string `json:"alias"`
	Key   string `json:"key"`
}

// CreateAlias gives a key one more name, of at most 50. Names that begin with alias/haven- are the
// server's own.
func (c *Client) CreateAlias(ctx context.Context, request AliasRequest) (*Key, error) {
	return call[AliasRequest, Key](ctx, c, operation{"create-alias", true}, request)
}

// UpdateAlias makes an alias name another key, of the same type and usage. The caller needs the
// permission for both. When it has returned, what names the alias means the new key.
func (c *Client) UpdateAlias(ctx context.Context, request AliasRequest) (*Key, error) {
	return call[AliasRequest, Key](ctx, c, operation{"update-alias", true}, request)
}

type deleteAliasRequest struct {
	Alias string `json:"alias"`
}

// DeleteAlias takes a name from a key. The key stays, and what it encrypted.
func (c *Client) DeleteAlias(ctx context.Context, alias string) (*Key, error) {
	return call[deleteAliasRequest, Key](ctx, c, operation{"delete-alias", true}, deleteAliasRequest{alias})
}

// ListAliasesRequest asks for a page of aliases: all, or those of Key.
type ListAliasesRequest struct {
	Key    string `json:"key,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// Alias is a name of a key.
type Alias struct {
	Alias     string    `json:"alias"`
	ARN       string    `json:"arn"`
	KeyID     string    `json:"key_id"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"` // when it was given another key; zero: never
}

// AliasPage is a page of aliases by name; NextCursor is empty at the end.
type AliasPage struct {
	Aliases    []Alias `json:"aliases"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListAliases returns a page of aliases.
func (c *Client) ListAliases(ctx context.Context, request ListAliasesRequest) (*AliasPage, error) {
	return call[ListAliasesRequest, AliasPage](ctx, c, operation{name: "list-aliases"}, request)
}
