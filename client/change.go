package client

import (
	"context"
	"strconv"
	"time"
)

// RotateKey makes a new version the primary; the one before stays valid for its grace period.
// With @N it rotates only if N is still the primary, and answers Conflict otherwise.
func (c *Client) RotateKey(ctx context.Context, key string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"rotate-key", true}, keyRequest{key})
}

// EnableKey lets a disabled key be used again.
func (c *Client) EnableKey(ctx context.Context, key string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"enable-key", true}, keyRequest{key})
}

type disableRequest struct {
	Key string `json:"key"`
	For string `json:"for,omitzero"`
}

// DisableKey suspends a key until it is enabled. When it has returned, no use of the key that begins
// afterwards succeeds.
func (c *Client) DisableKey(ctx context.Context, key string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"disable-key", true}, keyRequest{key})
}

// DisableKeyFor suspends a key at once, for a time of whole seconds, at most 30 days; then it can be
// used again. A suspension that stands is never shortened: enable the key first.
func (c *Client) DisableKeyFor(ctx context.Context, key string, d time.Duration) (*Key, error) {
	text := strconv.FormatInt(int64(d/time.Second), 10) + "s"
	if d%time.Second != 0 {
		text = d.String() // which the server refuses, saying what it takes
	}
	return call[disableRequest, Key](ctx, c, operation{"disable-key", true}, disableRequest{key, text})
}

// RestoreVersion brings an expired version, named with @N, back before its deletion date: it decrypts
// again, and its lifetime no longer ends.
func (c *Client) RestoreVersion(ctx context.Context, version string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"restore-version", true}, keyRequest{version})
}

// DeprecateVersion lets a version, named with @N and not the primary, decrypt only.
func (c *Client) DeprecateVersion(ctx context.Context, version string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"deprecate-version", true}, keyRequest{version})
}

// MarkCompromisedRequest says what is revoked. Key and Reason are required; a Key without @N
// revokes every version of it.
type MarkCompromisedRequest struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
	// NewPrimary, only with @N, says whether a compromised primary is replaced at once; nil is
	// true.
	NewPrimary *bool `json:"new_primary,omitzero"`
}

// MarkCompromised revokes a version or a whole key for everyone and for good. When it has
// returned, no use that begins afterwards succeeds.
func (c *Client) MarkCompromised(ctx context.Context, request MarkCompromisedRequest) (*Key, error) {
	return call[MarkCompromisedRequest, Key](ctx, c, operation{"mark-compromised", true}, request)
}

// ScheduleKeyDeletionRequest says what is to be destroyed, and in how many days: 7 to 30, 0 for
// the server's default of 30.
type ScheduleKeyDeletionRequest struct {
	Key  string `json:"key"`
	Days int    `json:"days,omitzero"`
}

// ScheduleKeyDeletion sets the day of destruction; until then nobody uses the key, and
// CancelKeyDeletion keeps it.
func (c *Client) ScheduleKeyDeletion(ctx context.Context, request ScheduleKeyDeletionRequest) (*Key, error) {
	return call[ScheduleKeyDeletionRequest, Key](ctx, c, operation{"schedule-key-deletion", true}, request)
}

// CancelKeyDeletion keeps a key that was to be destroyed. It stays disabled.
func (c *Client) CancelKeyDeletion(ctx context.Context, key string) (*Key, error) {
	return call[keyRequest, Key](ctx, c, operation{"cancel-key-deletion", true}, keyRequest{key})
}

type acceptClockRequest struct {
	Back bool `json:"back,omitzero"`
}

// AcceptClock makes the server take its wall clock as it is, after it jumped and an alarm stands. One
// that is more than five minutes behind the time the server believes is taken only with back:
// rights that a deadline ended may come back with the time.
func (c *Client) AcceptClock(ctx context.Context, back bool) error {
	_, err := call[acceptClockRequest, struct{}](ctx, c, operation{"accept-clock", false}, acceptClockRequest{back})
	return err
}
