package client

import (
	"context"
	"time"
)

// Task is something that a deadline asks to be done.
type Task struct {
	// Do is rotate, deprecate, expire, record, erase-material, destroy or resume.
	Do string `json:"do"`
	// At is when it is, or was, due.
	At      time.Time `json:"at"`
	ARN     string    `json:"arn"`
	KeyID   string    `json:"key_id,omitzero"`
	Version uint32    `json:"version,omitzero"` // 0: the key as a whole
	Type    KeyType   `json:"type,omitzero"`
	Alias   string    `json:"alias,omitzero"`
	// Credential is the id of a credential of the principal that ARN names.
	Credential string `json:"credential,omitzero"`
	// ExpiresAt is when the cryptoperiod ends of what is to be rotated.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Waits says why it cannot be done until somebody does something else first; empty where nothing
	// hinders it.
	Waits string `json:"waits,omitzero"`
	// NewVersion is the version that a rotation made.
	NewVersion uint32 `json:"new_version,omitzero"`
	// Error and Detail say why it could not be done.
	Error  string `json:"error,omitzero"`
	Detail string `json:"detail,omitzero"`
}

// CheckRotationRequest asks to do what is due, at most Limit things (0: 1,000). DryRun only tells.
type CheckRotationRequest struct {
	DryRun bool `json:"dry_run,omitzero"`
	Limit  int  `json:"limit,omitzero"`
}

// RotationCheck tells what was due. Due is what a dry run would do, Done was done, Failed was tried and
// is due still, Waiting waits for somebody. More tells that the limit was reached: check again.
type RotationCheck struct {
	DryRun  bool   `json:"dry_run,omitzero"`
	Due     []Task `json:"due,omitzero"`
	Done    []Task `json:"done"`
	Failed  []Task `json:"failed"`
	Waiting []Task `json:"waiting"`
	More    bool   `json:"more"`
}

// Execution tells of one key that ExecuteRotations named. NewVersion is 0 of one that was not due, or
// waits, or could not be rotated, as Error says then.
type Execution struct {
	KeyID      string `json:"key_id"`
	ARN        string `json:"arn"`
	Version    uint32 `json:"version,omitzero"`
	NewVersion uint32 `json:"new_version,omitzero"`
	Waits      string `json:"waits,omitzero"`
	Error      string `json:"error,omitzero"`
	Detail     string `json:"detail,omitzero"`
}

// ListDueRequest asks for a page of what is due, and comes due within Days (0: 30).
type ListDueRequest struct {
	Days   int    `json:"days,omitzero"`
	Limit  int    `json:"limit,omitzero"` // 1 to 100; 0: 50
	Cursor string `json:"cursor,omitzero"`
}

// DuePage is a page of what is due, oldest first; NextCursor is empty at the end. A page may be short,
// even empty, before the end.
type DuePage struct {
	Due        []Task `json:"due"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// ScheduleRequest sets when checks are made: a rate, cron or at expression of EventBridge Scheduler, and
// the time zone of cron and at, by its IANA name (default UTC).
type ScheduleRequest struct {
	Expression string `json:"expression"`
	Timezone   string `json:"timezone,omitzero"`
}

// RotationSchedule tells when checks are made. The counts are of the server that was asked, since it
// started; Waiting and Overdue are what its last check left.
type RotationSchedule struct {
	Expression  string    `json:"expression"`
	Timezone    string    `json:"timezone"`
	NextCheckAt time.Time `json:"next_check_at,omitzero"`
	LastCheckAt time.Time `json:"last_check_at,omitzero"`
	Done        uint64    `json:"done"`
	Failed      uint64    `json:"failed"`
	Waiting     int64     `json:"waiting"`
	Overdue     int64     `json:"overdue"`
}

type executeRequest struct {
	Keys []string `json:"keys"`
}

type executeAnswer struct {
	Rotations []Execution `json:"rotations"`
}

// ClockAdvance tells what time it is for the server now, how many scheduled checks it made on the way,
// and what they did.
type ClockAdvance struct {
	Now    time.Time `json:"now"`
	Checks int       `json:"checks"`
	Done   uint64    `json:"done"`
	Failed uint64    `json:"failed"`
}

type advanceRequest struct {
	Seconds int64 `json:"seconds"`
}

// AdvanceClock lets time pass for a development server, whole seconds and at most ten years, with the
// checks that its schedule asks for on the way.
func (c *Client) AdvanceClock(ctx context.Context, d time.Duration) (*ClockAdvance, error) {
	return call[advanceRequest, ClockAdvance](ctx, c, operation{name: "advance-clock"}, advanceRequest{int64(d / time.Second)})
}

// CheckRotation does what is due: rotates, ends grace periods and lifetimes, destroys.
func (c *Client) CheckRotation(ctx context.Context, req CheckRotationRequest) (*RotationCheck, error) {
	return call[CheckRotationRequest, RotationCheck](ctx, c, operation{name: "check-rotation"}, req)
}

// ExecuteRotations rotates those of up to 100 keys that are due, and tells of each in the order given.
func (c *Client) ExecuteRotations(ctx context.Context, keys ...string) ([]Execution, error) {
	out, err := call[executeRequest, executeAnswer](ctx, c, operation{name: "execute-rotations"}, executeRequest{keys})
	if err != nil {
		return nil, err
	}
	return out.Rotations, nil
}

// ListDue lists what is due, and what comes due within some days.
func (c *Client) ListDue(ctx context.Context, req ListDueRequest) (*DuePage, error) {
	return call[ListDueRequest, DuePage](ctx, c, operation{name: "list-due"}, req)
}

// ScheduleRotationCheck sets when the server looks for what is due.
func (c *Client) ScheduleRotationCheck(ctx context.Context, req ScheduleRequest) (*RotationSchedule, error) {
	return call[ScheduleRequest, RotationSchedule](ctx, c, operation{"schedule-rotation-check", true}, req)
}

// DescribeRotationSchedule tells when the server looks for what is due, and what the last check left.
func (c *Client) DescribeRotationSchedule(ctx context.Context) (*RotationSchedule, error) {
	return call[struct{}, RotationSchedule](ctx, c, operation{name: "describe-rotation-schedule"}, struct{}{})
}
