package client

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
)

// ListRecordsRequest asks for a page of events, newest first. All fields are optional; of the filters,
// those that are set must all fit.
type ListRecordsRequest struct {
	Key       string    `json:"key,omitzero"`       // a key's reference; with @N that version
	Event     string    `json:"event,omitzero"`     // Decrypt, RotateKeyOnDemand, or rotate-key
	Principal string    `json:"principal,omitzero"` // id or ARN
	Outcome   string    `json:"outcome,omitzero"`   // allowed, denied or failed
	Since     time.Time `json:"since,omitzero"`     // from it on
	Until     time.Time `json:"until,omitzero"`     // before it
	Changes   bool      `json:"changes,omitzero"`   // leave out what only uses and reads
	Limit     int       `json:"limit,omitzero"`     // 1 to 1,000; 0: 50
	Cursor    string    `json:"cursor,omitzero"`
}

// RecordPage is a page of events; NextCursor is empty at the end. A page may be short, even empty,
// before the end: the server looks at a bounded number of records.
type RecordPage struct {
	Records    []Record `json:"records"`
	NextCursor string   `json:"next_cursor,omitzero"`
}

// Record is an operation's outcome, as an AWS CloudTrail event.
type Record struct {
	EventVersion        string       `json:"eventVersion"`
	UserIdentity        UserIdentity `json:"userIdentity"`
	EventTime           time.Time    `json:"eventTime"` // to the second; AdditionalEventData has all
	EventSource         string       `json:"eventSource"`
	EventName           string       `json:"eventName"`
	AWSRegion           string       `json:"awsRegion"`
	SourceIPAddress     string       `json:"sourceIPAddress,omitzero"`
	UserAgent           string       `json:"userAgent,omitzero"`
	ErrorCode           string       `json:"errorCode,omitzero"` // AWS's name
	ErrorMessage        string       `json:"errorMessage,omitzero"`
	RequestParameters   Members      `json:"requestParameters"`
	ResponseElements    Members      `json:"responseElements"`
	AdditionalEventData Members      `json:"additionalEventData"` // position, outcome, keyVersion, …
	RequestID           string       `json:"requestID"`
	EventID             string       `json:"eventID"`
	ReadOnly            bool         `json:"readOnly"`
	Resources           []Resource   `json:"resources,omitzero"`
	EventType           string       `json:"eventType"`
	ManagementEvent     bool         `json:"managementEvent"`
	RecipientAccountID  string       `json:"recipientAccountId"`
	EventCategory       string       `json:"eventCategory"`
}

// Members are members of a record whose names depend on the operation; nil is JSON's null.
type Members map[string]any

// MarshalJSON implements json.Marshaler.
func (m Members) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]any(m), json.Deterministic(true))
}

// UserIdentity is who called.
type UserIdentity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitzero"`
	ARN         string `json:"arn,omitzero"`
	AccountID   string `json:"accountId,omitzero"`
	UserName    string `json:"userName,omitzero"`
	InvokedBy   string `json:"invokedBy,omitzero"`
}

// Resource is what an event is about.
type Resource struct {
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
}

// ListRecords returns a page of events, newest first.
func (c *Client) ListRecords(ctx context.Context, request ListRecordsRequest) (*RecordPage, error) {
	return call[ListRecordsRequest, RecordPage](ctx, c, operation{name: "list-records"}, request)
}
