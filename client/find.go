package client

import "context"

// TagKeyRequest adds tags to a key; those it has by the same names get the new values.
type TagKeyRequest struct {
	Key  string            `json:"key"`
	Tags map[string]string `json:"tags"`
}

// TagKey adds tags to a key, of at most 50.
func (c *Client) TagKey(ctx context.Context, request TagKeyRequest) (*Key, error) {
	return call[TagKeyRequest, Key](ctx, c, operation{"tag-key", true}, request)
}

// UntagKeyRequest takes tags from a key, by name.
type UntagKeyRequest struct {
	Key   string   `json:"key"`
	Names []string `json:"names"`
}

// UntagKey takes tags from a key; what it does not have is passed over.
func (c *Client) UntagKey(ctx context.Context, request UntagKeyRequest) (*Key, error) {
	return call[UntagKeyRequest, Key](ctx, c, operation{"untag-key", true}, request)
}

// GetActiveKeyRequest says what the key is for. Type is required.
type GetActiveKeyRequest struct {
	Type    KeyType `json:"type"`
	Purpose string  `json:"purpose,omitzero"`
}

// GetActiveKey returns the newest enabled key whose primary is active. It creates none: where there
// is none, the error matches NotFound.
func (c *Client) GetActiveKey(ctx context.Context, request GetActiveKeyRequest) (*Key, error) {
	return call[GetActiveKeyRequest, Key](ctx, c, operation{name: "get-active-key"}, request)
}
