package client

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Stage is what a version of a stored key is for.
type Stage string

// The stages.
const (
	StageCurrent  Stage = "current"
	StagePending  Stage = "pending"
	StagePrevious Stage = "previous"
)

// StoreKeyRequest asks to store a value under a name: one of Value, Text and Generate. A name that exists
// gets a new version; what else is left out stays as it was then.
type StoreKeyRequest struct {
	Name  string    `json:"name"`
	Value Sensitive `json:"value,omitzero"`
	Text  *string   `json:"text,omitzero"`
	// Generate is password, AES_256, RSA_2048, …
	Generate string            `json:"generate,omitzero"`
	Metadata map[string]string `json:"metadata,omitzero"`
	// KMSKeyID is the master key that protects it; empty: alias/haven-master for a new name.
	KMSKeyID    string            `json:"kms_key_id,omitzero"`
	Description string            `json:"description,omitzero"`
	Tags        map[string]string `json:"tags,omitzero"` // of a new name
	// Stage is current if empty, or pending.
	Stage Stage `json:"stage,omitzero"`
	// Rotation is a rate or cron expression by which what was generated is generated anew; "never" ends
	// that.
	Rotation string `json:"rotation,omitzero"`
}

// Format implements fmt.Formatter for every verb: no value is shown.
func (r StoreKeyRequest) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "stored key %s, %s", r.Name, redacted)
}

// LogValue implements slog.LogValuer.
func (r StoreKeyRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// StoreKeyAnswer names what was stored.
type StoreKeyAnswer struct {
	ARN       string `json:"arn"`
	VersionID string `json:"version_id"`
}

// RetrieveKeyRequest asks for a value, by Name or ARN: of the current version unless Stage or VersionID
// says which.
type RetrieveKeyRequest struct {
	Name      string `json:"name,omitzero"`
	ARN       string `json:"arn,omitzero"`
	Stage     Stage  `json:"stage,omitzero"`
	VersionID string `json:"version_id,omitzero"`
}

// StoredValue is a value: Text if it was stored as such, else Value. It prints no value.
type StoredValue struct {
	Name      string            `json:"name"`
	ARN       string            `json:"arn"`
	VersionID string            `json:"version_id"`
	Stages    []Stage           `json:"stages"`
	Value     Sensitive         `json:"value,omitzero"`
	Text      *string           `json:"text,omitzero"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt time.Time         `json:"created_at"`
}

// Format implements fmt.Formatter for every verb: no value is shown.
func (v StoredValue) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "stored key %s version %s, %s", v.Name, v.VersionID, redacted)
}

// LogValue implements slog.LogValuer.
func (v StoredValue) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }

// StoredKey is a stored key without its value.
type StoredKey struct {
	Name           string            `json:"name"`
	ARN            string            `json:"arn"`
	Description    string            `json:"description,omitzero"`
	KMSKeyID       string            `json:"kms_key_id"`
	Metadata       map[string]string `json:"metadata,omitzero"`
	Tags           map[string]string `json:"tags,omitzero"`
	CreatedAt      time.Time         `json:"created_at"`
	CreatedBy      string            `json:"created_by"`
	ChangedAt      time.Time         `json:"changed_at"`
	Stages         map[Stage]string  `json:"stages"`
	Versions       int               `json:"versions"`
	Generate       string            `json:"generate,omitzero"`
	Rotation       string            `json:"rotation,omitzero"`
	NextRotationAt time.Time         `json:"next_rotation_at,omitzero"`
	LastRotatedAt  time.Time         `json:"last_rotated_at,omitzero"`
	DeletionDate   time.Time         `json:"deletion_date,omitzero"`
}

// StoredVersion is a version of a stored key without its value.
type StoredVersion struct {
	VersionID string            `json:"version_id"`
	Stages    []Stage           `json:"stages,omitzero"`
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy string            `json:"created_by"`
	Metadata  map[string]string `json:"metadata,omitzero"`
	WrappedBy string            `json:"wrapped_by"`
}

// ListStoredKeysRequest asks for a page of stored keys by name: those whose names begin with Prefix, and
// that have the Tag, NAME or NAME=VALUE.
type ListStoredKeysRequest struct {
	Prefix string `json:"prefix,omitzero"`
	Tag    string `json:"tag,omitzero"`
	Limit  int    `json:"limit,omitzero"` // 1 to 60; 0: 50
	Cursor string `json:"cursor,omitzero"`
}

// StoredKeyPage is a page of stored keys; NextCursor is empty at the end.
type StoredKeyPage struct {
	StoredKeys []StoredKey `json:"stored_keys"`
	NextCursor string      `json:"next_cursor,omitzero"`
}

// storedReference names a stored key.
type storedReference struct {
	Name string `json:"name,omitzero"`
	ARN  string `json:"arn,omitzero"`
}

type deleteStoredRequest struct {
	Name string `json:"name"`
	Days int    `json:"days,omitzero"`
}

type tagStoredRequest struct {
	Name string            `json:"name"`
	Tags map[string]string `json:"tags"`
}

type untagStoredRequest struct {
	Name  string   `json:"name"`
	Names []string `json:"names"`
}

type storedVersions struct {
	Versions []StoredVersion `json:"versions"`
}

// StoreKey stores a value under a name, or a new version of it.
func (c *Client) StoreKey(ctx context.Context, req StoreKeyRequest) (*StoreKeyAnswer, error) {
	return call[StoreKeyRequest, StoreKeyAnswer](ctx, c, operation{"store-key", true}, req)
}

// RetrieveKey returns a value as it was stored.
func (c *Client) RetrieveKey(ctx context.Context, req RetrieveKeyRequest) (*StoredValue, error) {
	return call[RetrieveKeyRequest, StoredValue](ctx, c, operation{name: "retrieve-key"}, req)
}

// ListStoredKeys lists stored keys by name.
func (c *Client) ListStoredKeys(ctx context.Context, req ListStoredKeysRequest) (*StoredKeyPage, error) {
	return call[ListStoredKeysRequest, StoredKeyPage](ctx, c, operation{name: "list-stored-keys"}, req)
}

// ListStoredKeyVersions lists the versions of a stored key, newest first.
func (c *Client) ListStoredKeyVersions(ctx context.Context, name string) ([]StoredVersion, error) {
	out, err := call[storedReference, storedVersions](ctx, c, operation{name: "list-stored-key-versions"}, storedReference{Name: name})
	if err != nil {
		return nil, err
	}
	return out.Versions, nil
}

// DescribeStoredKey shows a stored key without its value.
func (c *Client) DescribeStoredKey(ctx context.Context, name string) (*StoredKey, error) {
	return call[storedReference, StoredKey](ctx, c, operation{name: "describe-stored-key"}, storedReference{Name: name})
}

// DeleteStoredKey deletes a stored key in 7 to 30 days (0: 30), unless it is restored.
func (c *Client) DeleteStoredKey(ctx context.Context, name string, days int) (*StoredKey, error) {
	return call[deleteStoredRequest, StoredKey](ctx, c, operation{"delete-stored-key", true}, deleteStoredRequest{name, days})
}

// RestoreStoredKey keeps a stored key that was to be deleted.
func (c *Client) RestoreStoredKey(ctx context.Context, name string) (*StoredKey, error) {
	return call[storedReference, StoredKey](ctx, c, operation{"restore-stored-key", true}, storedReference{Name: name})
}

// RotateStoredKey generates a stored value anew.
func (c *Client) RotateStoredKey(ctx context.Context, name string) (*StoreKeyAnswer, error) {
	return call[storedReference, StoreKeyAnswer](ctx, c, operation{"rotate-stored-key", true}, storedReference{Name: name})
}

// TagStoredKey adds tags to a stored key, or gives them other values.
func (c *Client) TagStoredKey(ctx context.Context, name string, tags map[string]string) (*StoredKey, error) {
	return call[tagStoredRequest, StoredKey](ctx, c, operation{"tag-stored-key", true}, tagStoredRequest{name, tags})
}

// UntagStoredKey takes tags from a stored key.
func (c *Client) UntagStoredKey(ctx context.Context, name string, tags ...string) (*StoredKey, error) {
	return call[untagStoredRequest, StoredKey](ctx, c, operation{"untag-stored-key", true}, untagStoredRequest{name, tags})
}
