// Package keys is the Key Manager: it creates, rotates, uses and retires keys.
//
// It guarantees that key material leaves it only encrypted (a data key's plaintext, which is made
// to be given away, excepted); that material is unwrapped and used only with the gate's approval;
// that every change of a key is staged and committed with its record, never written by itself;
// and that what it keeps in memory is dropped when the gate says it changed. It never authorizes,
// never writes a record, and never takes a nonce, salt or algorithm from a caller.
package keys

import (
	"strconv"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// DefaultMaster is the alias of the master key that a first start creates.
const DefaultMaster = "haven-master"

// Limits of what callers name and send.
const (
	MaxPurpose     = 256      // bytes
	MaxTags        = 50       // per key
	MaxAliases     = 50       // per key
	MaxDescription = 8192     // characters, as in AWS KMS
	MaxOwner       = 256      // characters
	MaxPlaintext   = 4096     // bytes, as in AWS KMS
	MaxMessage     = 4096     // bytes to sign or to make a MAC of, as in AWS KMS
	MaxSealed      = 64 << 10 // bytes that hpke-seal takes
	MaxRandom      = 1024     // bytes of a data key or of generate-random
	MaxReason      = 256      // bytes
)

// Days is a period in days as a request gives it. The zero Days takes the default; in JSON that is
// an absent field, and 0 there is Never.
type Days int

// Never is a period that does not end.
const Never Days = -1

// MarshalJSON implements json.Marshaler.
func (d Days) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(max(d, 0)), 10), nil }

// UnmarshalJSON implements json.Unmarshaler: a whole number from 0, which is Never, to 36500.
func (d *Days) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 32)
	if err != nil || n > lifecycle.MaxDays {
		return gate.Errorf(gate.InvalidRequest, "a period is a whole number of days, 0 (never) to %d", lifecycle.MaxDays)
	}
	*d = Days(n)
	if n == 0 {
		*d = Never
	}
	return nil
}

// or returns the period for the lifecycle table, standard if none was given.
func (d Days) or(standard uint32) (uint32, error) {
	switch {
	case d == 0:
		return standard, nil
	case d == Never:
		return 0, nil
	case d < 0 || d > lifecycle.MaxDays:
		return 0, gate.Errorf(gate.InvalidRequest, "a period is a whole number of days, 0 (never) to %d", lifecycle.MaxDays)
	}
	return uint32(d), nil
}

// Key is the key document: what describe-key shows.
type Key struct {
	ID  string `json:"key_id"`
	ARN string `json:"arn"`
	// Alias is the first of Aliases, the names the key was given, in that order.
	Alias       string   `json:"alias,omitzero"`
	Aliases     []string `json:"aliases,omitzero"`
	Type        Type     `json:"type"`
	Spec        Spec     `json:"spec"`
	Usage       Usage    `json:"key_usage"`
	Purpose     string   `json:"purpose"`
	Description string   `json:"description,omitzero"`
	Owner       string   `json:"owner,omitzero"`
	Origin      Origin   `json:"origin"`
	// State and Version are the primary's, or of the version that awaits its material; absent when
	// the key has neither.
	State    lifecycle.State `json:"state,omitzero"`
	Version  uint32          `json:"version,omitzero"`
	Versions uint32          `json:"versions"`

	RotationDays uint32 `json:"rotation_days"`
	GraceDays    uint32 `json:"grace_days"`
	LifetimeDays uint32 `json:"lifetime_days,omitzero"`

	ExpiresAt      time.Time `json:"expires_at,omitzero"`
	NextRotationAt time.Time `json:"next_rotation_at,omitzero"`
	// ValidTo is when the imported material of the primary comes to its end. MaterialExpired says
	// that it did, or was deleted: nothing works that needs it.
	ValidTo         time.Time `json:"valid_to,omitzero"`
	MaterialExpired bool      `json:"material_expired,omitzero"`
	// CheckValue is the primary's: it tells whether another place holds the same material, and says
	// nothing about it.
	CheckValue string    `json:"key_check_value,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  gate.ID   `json:"created_by"`
	// CreatedByName is what that principal is called now. It is told by what describes and lists keys;
	// absent where there is no such principal any more.
	CreatedByName string `json:"created_by_name,omitzero"`
	// WrappedBy is the master version that wraps the primary, ID@N; "root" for a master key.
	WrappedBy string            `json:"wrapped_by,omitzero"`
	Tags      map[string]string `json:"tags,omitzero"`
	Enabled   bool              `json:"enabled"`
	// DisabledUntil is when a disabled key can be used again; absent: when it is enabled.
	DisabledUntil time.Time `json:"disabled_until,omitzero"`
	DeletionDate  time.Time `json:"deletion_date,omitzero"`
	// Moving says that a change of master has not taken all versions along yet: it goes on, or was
	// interrupted, and update-key with the same master takes up where it ended.
	Moving bool `json:"moving,omitzero"`
	// Wraps is what a master key wraps, and RewrapLeft what of that its older versions still do. Only
	// describe-key and schedule-key-deletion count them.
	Wraps      *Wraps `json:"wraps,omitzero"`
	RewrapLeft *Wraps `json:"rewrap_left,omitzero"`
	// UseCount is how often all versions together were used, LastUsedAt when last. They are told by
	// what describes and lists keys, and nil and zero in the answers of what changes them.
	UseCount   *uint64   `json:"use_count,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	// PreviousVersion is the version that rotate-key replaced.
	PreviousVersion uint32 `json:"previous_version,omitzero"`
}

// Version is one version as list-key-versions shows it.
type Version struct {
	KeyID          string          `json:"key_id"`
	Version        uint32          `json:"version"`
	State          lifecycle.State `json:"state"`
	CreatedAt      time.Time       `json:"created_at"`
	ExpiresAt      time.Time       `json:"expires_at,omitzero"`
	GraceEndsAt    time.Time       `json:"grace_ends_at,omitzero"`
	LifetimeEndsAt time.Time       `json:"lifetime_ends_at,omitzero"`
	DeletionDate   time.Time       `json:"deletion_date,omitzero"`
	// ValidTo is when its imported material comes to its end, or was erased. MaterialExpired says
	// that it did or was, MaterialErased that nothing of it is stored any more.
	ValidTo         time.Time `json:"valid_to,omitzero"`
	MaterialExpired bool      `json:"material_expired,omitzero"`
	MaterialErased  bool      `json:"material_erased,omitzero"`
	WasCompromised  bool      `json:"was_compromised,omitzero"`
	WrappedBy       string    `json:"wrapped_by,omitzero"`
	// Wraps is what a version of a master key wraps.
	Wraps *Wraps `json:"wraps,omitzero"`
	// UseCount is the sum of the next three: uses that encrypt, sign or make a MAC; that decrypt or
	// verify a MAC; that verify a signature. A verification counts when its answer is valid.
	UseCount     uint64    `json:"use_count"`
	ProtectCount uint64    `json:"protect_count,omitzero"`
	ProcessCount uint64    `json:"process_count,omitzero"`
	VerifyCount  uint64    `json:"verify_count,omitzero"`
	LastUsedAt   time.Time `json:"last_used_at,omitzero"`
	// CheckValue tells whether another place holds the same material, and says nothing about it.
	CheckValue string `json:"key_check_value,omitzero"`
}
