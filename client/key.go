package client

import (
	"context"
	"time"
)

// KeyType is what a key may do.
type KeyType string

// The types.
const (
	Master    KeyType = "master"    // wraps other keys
	Data      KeyType = "data"      // encrypts data at rest
	Signing   KeyType = "signing"   // signs, or makes MACs
	Transport KeyType = "transport" // protects data in transit
)

// State is a version's place in its life.
type State string

// The states.
const (
	Pending     State = "pending"     // made, not in use yet
	Active      State = "active"      // the primary
	Rotating    State = "rotating"    // replaced, still valid until its grace period ends
	Deprecated  State = "deprecated"  // decrypts and verifies only
	Expired     State = "expired"     // out of use; restorable until its deletion date
	Compromised State = "compromised" // revoked for good
	Destroyed   State = "destroyed"   // its material is gone
)

// Origin says where a key's material is made.
type Origin string

// The origins.
const (
	HavenOrigin    Origin = "HAVEN"
	ExternalOrigin Origin = "EXTERNAL" // elsewhere: it is imported
)

// Key is the key document.
type Key struct {
	KeyID string `json:"key_id"`
	ARN   string `json:"arn"`
	// Alias is the first of Aliases, the key's names.
	Alias       string   `json:"alias,omitzero"`
	Aliases     []string `json:"aliases,omitzero"`
	Type        KeyType  `json:"type"`
	Spec        string   `json:"spec"`
	KeyUsage    string   `json:"key_usage"`
	Purpose     string   `json:"purpose"`
	Description string   `json:"description,omitzero"`
	Owner       string   `json:"owner,omitzero"`
	Origin      Origin   `json:"origin"`

	// State and Version are those of the primary; zero when the key has none, as after the
	// compromise of the whole key. Versions is how many there are.
	State    State  `json:"state,omitzero"`
	Version  uint32 `json:"version,omitzero"`
	Versions uint32 `json:"versions"`
	// PreviousVersion is set by RotateKey: the version that was replaced.
	PreviousVersion uint32 `json:"previous_version,omitzero"`

	// Periods in days; 0 is never.
	RotationDays int `json:"rotation_days"`
	GraceDays    int `json:"grace_days"`
	LifetimeDays int `json:"lifetime_days,omitzero"`

	CreatedAt      time.Time `json:"created_at"`
	CreatedBy      string    `json:"created_by"`
	CreatedByName  string    `json:"created_by_name,omitzero"`  // told by what describes and lists keys
	ExpiresAt      time.Time `json:"expires_at,omitzero"`       // zero: does not expire
	NextRotationAt time.Time `json:"next_rotation_at,omitzero"` // zero: none planned
	DeletionDate   time.Time `json:"deletion_date,omitzero"`    // zero: none planned
	DisabledUntil  time.Time `json:"disabled_until,omitzero"`   // zero: not disabled, or until it is enabled
	// ValidTo is when the imported material of the primary ends; zero: never. MaterialExpired says
	// that it did, or was deleted: nothing works that needs it.
	ValidTo         time.Time `json:"valid_to,omitzero"`
	MaterialExpired bool      `json:"material_expired,omitzero"`
	// KeyCheckValue is the primary's: it tells whether another place holds the same material, and
	// says nothing about it.
	KeyCheckValue string `json:"key_check_value,omitzero"`
	// UseCount is how often all versions together were used, LastUsedAt when last, zero for never.
	// They are told by what describes and lists keys, not by what changes them.
	UseCount   uint64    `json:"use_count,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`

	// WrappedBy is the master version that wraps the primary, as KEY@N.
	WrappedBy string `json:"wrapped_by,omitzero"`
	// Moving says that a change of master has not taken all versions along yet: it goes on, or was
	// interrupted, and UpdateKey with the same master takes up where it ended.
	Moving bool `json:"moving,omitzero"`
	// Wraps is what a master key wraps, and RewrapLeft what of that its older versions still do: it is
	// on its way to the primary. Only DescribeKey and ScheduleKeyDeletion tell.
	Wraps      *Wraps            `json:"wraps,omitzero"`
	RewrapLeft *Wraps            `json:"rewrap_left,omitzero"`
	Tags       map[string]string `json:"tags,omitzero"`
	Enabled    bool              `json:"enabled"`
}

// Wraps counts the key versions that a master key wraps.
type Wraps struct {
	// Count is exact unless More: then there are as many at least.
	Count int  `json:"count"`
	More  bool `json:"more,omitzero"`
}

// Version is one version of a key.
type Version struct {
	KeyID          string    `json:"key_id"`
	Version        uint32    `json:"version"`
	State          State     `json:"state"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at,omitzero"`
	GraceEndsAt    time.Time `json:"grace_ends_at,omitzero"`
	LifetimeEndsAt time.Time `json:"lifetime_ends_at,omitzero"`
	DeletionDate   time.Time `json:"deletion_date,omitzero"`
	// ValidTo is when imported material ends, or was deleted. MaterialExpired says that it did or was,
	// MaterialErased that nothing of it is stored any more.
	ValidTo         time.Time `json:"valid_to,omitzero"`
	MaterialExpired bool      `json:"material_expired,omitzero"`
	MaterialErased  bool      `json:"material_erased,omitzero"`
	WasCompromised  bool      `json:"was_compromised,omitzero"`
	WrappedBy       string    `json:"wrapped_by,omitzero"`
	// Wraps is what a version of a master key wraps.
	Wraps *Wraps `json:"wraps,omitzero"`
	// UseCount is how often it was used: the sum of the three.
	UseCount     uint64    `json:"use_count"`
	ProtectCount uint64    `json:"protect_count,omitzero"` // encrypted, signed, made a MAC
	ProcessCount uint64    `json:"process_count,omitzero"` // decrypted, verified a MAC
	VerifyCount  uint64    `json:"verify_count,omitzero"`  // verified a signature
	LastUsedAt   time.Time `json:"last_used_at,omitzero"`
	// KeyCheckValue tells whether another place holds the same material, and says nothing about it.
	KeyCheckValue string `json:"key_check_value,omitzero"`
}

// CreateKeyRequest says what key to create. Purpose and Type are required.
type CreateKeyRequest struct {
	Purpose  string  `json:"purpose"`
	Type     KeyType `json:"type"`
	Spec     string  `json:"spec,omitzero"`      // empty: the type's default
	KeyUsage string  `json:"key_usage,omitzero"` // empty: the type's default for the spec
	// Periods in days: nil takes the type's default, 0 is never.
	RotationDays *int              `json:"rotation_days,omitzero"`
	GraceDays    *int              `json:"grace_days,omitzero"`
	LifetimeDays *int              `json:"lifetime_days,omitzero"`
	Alias        string            `json:"alias,omitzero"` // "alias/NAME"
	Tags         map[string]string `json:"tags,omitzero"`
	Description  string            `json:"description,omitzero"` // at most 8,192 characters
	Owner        string            `json:"owner,omitzero"`       // at most 256
	Master       string            `json:"master,omitzero"`      // the wrapping key; empty: alias/haven-master
	Custody      string            `json:"custody,omitzero"`     // empty: local
	Origin       Origin            `json:"origin,omitzero"`      // empty: HavenOrigin
	// Policy is a policy of the key's own: see PutKeyPolicyRequest. Empty: none.
	Policy             string `json:"policy,omitzero"`
	BypassLockoutCheck bool   `json:"bypass_policy_lockout_safety_check,omitzero"`
}

// CreateKey creates a key with its first version.
func (c *Client) CreateKey(ctx context.Context, request CreateKeyRequest) (*Key, error) {
	return call[CreateKeyRequest, Key](ctx, c, operation{"create-key", true}, request)
}

// keyRequest is the request of the operations that need a key alone.
type keyRequest struct {
	Key string `json:"key"`
}

// DescribeKey returns a key's document. A key is named, here and everywhere, by id, ARN, alias or
// alias ARN, each with @N for one version.
func (c *Client) DescribeKey(ctx context.Context, key string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{name: "describe-key"}, keyRequest{key})
}

// ListKeysRequest asks for a page. All fields are optional; of the filters, those that are set must
// all fit.
type ListKeysRequest struct {
	Type KeyType `json:"type,omitzero"`
	// State is disabled, pending_deletion or destroyed, where the key is; material_missing, where
	// imported material ended, was deleted or is still to come; else the state of its primary; or
	// enabled.
	State   string `json:"state,omitzero"`
	Purpose string `json:"purpose,omitzero"`
	Tag     string `json:"tag,omitzero"` // NAME or NAME=VALUE
	// AliasPrefix is what an alias of the key begins with, "alias/…"; the list is by alias then.
	AliasPrefix string `json:"alias_prefix,omitzero"`
	// DueBefore: the next rotation, the expiry, the end of the material or the deletion comes before it.
	DueBefore time.Time `json:"due_before,omitzero"`
	Owner     string    `json:"owner,omitzero"`
	Limit     int       `json:"limit,omitzero"`
	Cursor    string    `json:"cursor,omitzero"` // NextCursor of the page before
}

// KeyPage is a page of keys, newest first; NextCursor is empty at the end. Where filters are set a
// page may be short, even empty, before the end: the server looks at a bounded number of keys.
type KeyPage struct {
	Keys       []Key  `json:"keys"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// ListKeys returns a page of the keys the caller may see.
func (c *Client) ListKeys(ctx context.Context, request ListKeysRequest) (*KeyPage, error) {
	return call[ListKeysRequest, KeyPage](ctx, c, operation{name: "list-keys"}, request)
}

// ListKeyVersionsRequest asks for a page of one key's versions. Key is required.
type ListKeyVersionsRequest struct {
	Key    string `json:"key"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// VersionPage is a page of versions, newest first; NextCursor is empty at the end.
type VersionPage struct {
	Versions   []Version `json:"versions"`
	NextCursor string    `json:"next_cursor,omitzero"`
}

// ListKeyVersions returns a page of a key's versions.
func (c *Client) ListKeyVersions(ctx context.Context, request ListKeyVersionsRequest) (*VersionPage, error) {
	return call[ListKeyVersionsRequest, VersionPage](ctx, c, operation{name: "list-key-versions"}, request)
}

// UpdateKeyRequest changes what is set of it; Key is required. nil leaves what is; an empty
// description or owner takes it away.
type UpdateKeyRequest struct {
	Key          string  `json:"key"`
	Purpose      string  `json:"purpose,omitzero"`
	Description  *string `json:"description,omitzero"`
	Owner        *string `json:"owner,omitzero"`
	RotationDays *int    `json:"rotation_days,omitzero"`
	GraceDays    *int    `json:"grace_days,omitzero"`
	LifetimeDays *int    `json:"lifetime_days,omitzero"`
	// Master is the master key that shall wrap the key, all its versions.
	Master string `json:"master,omitzero"`
}

// UpdateKey changes a key's purpose or schedule.
func (c *Client) UpdateKey(ctx context.Context, request UpdateKeyRequest) (*Key, error) {
	return call[UpdateKeyRequest, Key](ctx, c, operation{"update-key", true}, request)
}
