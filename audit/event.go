package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/journal"
)

// Event is a record as AWS CloudTrail writes one (event version 1.11): what reads CloudTrail reads it.
// A member that CloudTrail writes as null is null here; others that a record does not have are absent.
type Event struct {
	EventVersion    string       `json:"eventVersion"`
	UserIdentity    UserIdentity `json:"userIdentity"`
	EventTime       time.Time    `json:"eventTime"` // to the second
	EventSource     string       `json:"eventSource"`
	EventName       string       `json:"eventName"`
	AWSRegion       string       `json:"awsRegion"`
	SourceIPAddress string       `json:"sourceIPAddress,omitzero"`
	UserAgent       string       `json:"userAgent,omitzero"`
	ErrorCode       string       `json:"errorCode,omitzero"`
	ErrorMessage    string       `json:"errorMessage,omitzero"`
	// RequestParameters holds no secrets; the encryption context is in clear, as it is recorded: to
	// 64 bytes, a longer one by its hash in AdditionalEventData.
	RequestParameters   *Members   `json:"requestParameters"`
	ResponseElements    *Members   `json:"responseElements"` // null for what changes nothing
	AdditionalEventData *Members   `json:"additionalEventData"`
	RequestID           string     `json:"requestID"`
	EventID             string     `json:"eventID"`
	ReadOnly            bool       `json:"readOnly"`
	Resources           []Resource `json:"resources,omitzero"`
	EventType           string     `json:"eventType"`
	ManagementEvent     bool       `json:"managementEvent"`
	RecipientAccountID  string     `json:"recipientAccountId"`
	EventCategory       string     `json:"eventCategory"`

	position uint64
}

// Members are further members of an event, by name.
type Members map[string]any

// UserIdentity is who called.
type UserIdentity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitzero"`
	ARN         string `json:"arn,omitzero"`
	AccountID   string `json:"accountId,omitzero"`
	UserName    string `json:"userName,omitzero"`
	// InvokedBy is set for what Haven did by itself, within the caller's operation.
	InvokedBy string `json:"invokedBy,omitzero"`
}

// Resource is what an event is about.
type Resource struct {
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
}

// itself is how events name what Haven or an operator at its machine did.
const itself = "Haven Internal"

// event makes a record's event.
func (r *Reader) event(record *journal.Record, p personal, position uint64) Event {
	op := r.operations[record.Operation]
	e := Event{
		EventVersion: "1.11", EventTime: time.Unix(0, record.Time).UTC().Truncate(time.Second), AWSRegion: r.cfg.Region,
		SourceIPAddress: p.source, UserAgent: p.agent, RequestID: gate.ID(record.Request).String(), EventID: r.eventID(position),
		ReadOnly: true, EventType: "AwsApiCall", ManagementEvent: true, RecipientAccountID: r.cfg.Account, EventCategory: "Management",
		EventSource: "haven", EventName: fmt.Sprintf("Operation%d", record.Operation), // of a later release
		UserIdentity: r.identity(record, p), Resources: r.resources(record), position: position,
	}
	if op != nil {
		e.EventName, e.ReadOnly = op.Event, !op.Mutates
		if service, _, _ := strings.Cut(op.Permission, ":"); service == "kms" || service == "cloudtrail" || service == "iam" || service == "sts" || service == "secretsmanager" {
			e.EventSource = service + ".amazonaws.com"
		}
		if op == gate.GetCallerIdentity { // which needs no permission
			e.EventSource = "sts.amazonaws.com"
		}
		if op.Internal || record.Flags&journal.System != 0 {
			e.EventType = "AwsServiceEvent"
		}
	}
	if e.SourceIPAddress == "" {
		e.SourceIPAddress = itself
	}
	if record.Outcome != journal.Allowed {
		code := gate.Code(record.Error)
		e.ErrorCode, e.ErrorMessage = errorCode(code), code.String()
	}
	e.RequestParameters = parameters(op, record)
	if record.Outcome == journal.Allowed {
		e.ResponseElements = r.response(op, gate.ID(record.Key))
	}
	e.AdditionalEventData = additional(op, record, position)
	return e
}

// response is what CloudTrail shows of an answer: nil, and null, but for these.
func (r *Reader) response(op *gate.Operation, key gate.ID) *Members {
	switch op {
	case gate.CreateKey:
		return &Members{"keyMetadata": Members{"keyId": key.String(), "arn": r.keyARN(key)}}
	case gate.ScheduleKeyDeletion, gate.CancelKeyDeletion, gate.RotateKey:
		return &Members{"keyId": r.keyARN(key)}
	}
	return nil
}

// eventID is the same for the same record, wherever the event is made: RFC 9562, version 8.
func (r *Reader) eventID(position uint64) string {
	h := sha256.New()
	h.Write([]byte("haven/event/v1\x00"))
	h.Write(r.cfg.StoreID[:])
	h.Write(binary.BigEndian.AppendUint64(nil, position))
	id := gate.ID(h.Sum(nil)[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id.String()
}

func (r *Reader) identity(record *journal.Record, p personal) UserIdentity {
	u := UserIdentity{Type: "Unknown"}
	if id := gate.ID(record.Principal); !id.IsZero() {
		u = UserIdentity{Type: "IAMUser", PrincipalID: id.String(), AccountID: r.cfg.Account, UserName: p.name}
		if p.name != "" {
			u.ARN = r.userARN(p.name)
		}
	}
	if record.Flags&journal.System != 0 {
		u.InvokedBy = itself
	}
	return u
}

func (r *Reader) userARN(name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:user/%s", r.cfg.Account, name)
}

func (r *Reader) keyARN(id gate.ID) string { return r.kmsARN("key/" + id.String()) }

func (r *Reader) kmsARN(resource string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", r.cfg.Region, r.cfg.Account, resource)
}

// resources are the keys and the alias that a record names.
func (r *Reader) resources(record *journal.Record) (out []Resource) {
	add := func(arn string) { out = append(out, Resource{r.cfg.Account, "AWS::KMS::Key", arn}) }
	if id := gate.ID(record.Key); !id.IsZero() {
		add(r.keyARN(id))
	}
	for name, value := range fields(record.Parameters) {
		id, _, _ := strings.Cut(value, "@")
		switch _, isID := gate.ParseID(id); {
		case (name == "to" || name == "from") && isID:
			add(r.kmsARN("key/" + id))
		case name == "alias":
			add(r.kmsARN("alias/" + value))
		}
	}
	return out
}

// fields yields the typed parameters of a record.
func fields(parameters string) func(func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for field := range strings.SplitSeq(parameters, ";") {
			if name, value, ok := strings.Cut(field, "="); ok && !yield(name, value) {
				return
			}
		}
	}
}

// awsNames are CloudTrail's names of parameters, where it has them.
var awsNames = map[string]string{"spec": "keySpec", "usage": "keyUsage", "days": "pendingWindowInDays", "bytes": "numberOfBytes"}

// parameters are what was asked, as far as a record tells: nil where it tells nothing.
func parameters(op *gate.Operation, record *journal.Record) *Members {
	m := Members{}
	key := "keyId"
	for name, value := range fields(record.Parameters) {
		switch {
		case name == "alias":
			m["aliasName"] = "alias/" + value
		case name == "to" && op == gate.ReEncrypt:
			m["destinationKeyId"], key = value, "sourceKeyId"
		case name == "from" && op == gate.UpdateAlias: // which nobody asked for: see additional
		case awsNames[name] != "":
			m[awsNames[name]] = number(value)
		default:
			m[name] = value
		}
	}
	switch id := gate.ID(record.Key); {
	case id.IsZero(), op == gate.CreateKey, op == gate.DeleteAlias, op == gate.GetActiveKey: // which name none
	case op == gate.CreateAlias, op == gate.UpdateAlias:
		m["targetKeyId"] = id.String()
	default:
		m[key] = id.String()
	}
	if len(record.Context) > 0 && record.Flags&journal.ContextHashed == 0 {
		if c, err := blob.ParseContext(record.Context); err == nil {
			pairs := Members{}
			for name, value := range c.All() {
				pairs[name] = value
			}
			m[contextName(op)] = pairs
		}
	}
	if record.Reason != "" {
		m["reason"] = record.Reason
	}
	if len(m) == 0 {
		return nil
	}
	return &m
}

func contextName(op *gate.Operation) string {
	if op == gate.ReEncrypt {
		return "sourceEncryptionContext"
	}
	return "encryptionContext"
}

// number is a value as CloudTrail has it: a number where it is one.
func number(value string) any {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return n
	}
	return value
}

// additional is what a record tells and CloudTrail has no place for.
func additional(op *gate.Operation, record *journal.Record, position uint64) *Members {
	m := Members{
		"position": position, "time": time.Unix(0, record.Time).UTC().Format(time.RFC3339Nano), "outcome": record.Outcome.String(),
	}
	if record.Version != 0 {
		m["keyVersion"] = record.Version
	}
	for name, value := range fields(record.Parameters) {
		if name == "from" && op == gate.UpdateAlias {
			m["previousTargetKeyId"] = value
		}
	}
	if id := gate.ID(record.Wrapping); !id.IsZero() {
		m["wrappedBy"] = versioned(id, record.WrappingVer)
	}
	if id := gate.ID(record.Decision); !id.IsZero() {
		m["decisionId"] = id.String()
	}
	if record.Flags&journal.ContextHashed != 0 {
		m["encryptionContextSHA256"] = hex.EncodeToString(record.Context)
	}
	if record.Flags&journal.BatchItem != 0 {
		m["batchItem"] = record.Item
	}
	for flag, name := range map[journal.Flags]string{journal.Recovery: "recovery", journal.Replay: "replay"} {
		if record.Flags&flag != 0 {
			m[name] = true
		}
	}
	return &m
}

func versioned(id gate.ID, version uint32) string { return fmt.Sprintf("%s@%d", id, version) }

// errorCodes are AWS's names of what goes wrong.
var errorCodes = map[gate.Code]string{
	gate.InvalidRequest: "ValidationException", gate.Unauthenticated: "UnrecognizedClientException",
	gate.AccessDenied: "AccessDenied", gate.NotFound: "NotFoundException", gate.AlreadyExists: "AlreadyExistsException",
	gate.Conflict: "ConflictException", gate.InvalidState: "KMSInvalidStateException",
	gate.InvalidCiphertext: "InvalidCiphertextException", gate.IncorrectKey: "IncorrectKeyException",
	gate.Unsupported: "UnsupportedOperationException", gate.LimitExceeded: "LimitExceededException",
	gate.TooLarge: "ValidationException", gate.RateLimited: "ThrottlingException",
	gate.IdempotencyMismatch: "ConflictException", gate.Contended: "DependencyTimeoutException",
	gate.Unavailable: "DependencyTimeoutException", gate.InvalidKeyUsage: "InvalidKeyUsageException",
}

func errorCode(c gate.Code) string {
	if name := errorCodes[c]; name != "" {
		return name
	}
	return "KMSInternalException"
}
