// Package vault is the Key Vault: it keeps named secrets that were made elsewhere or by it (stored keys:
// API keys, passwords, certificates, private keys), each in versions, protected by a master key.
//
// It guarantees that a value is stored only wrapped, bound to its store, stored key and version, by a
// master key's primary; that it leaves the vault only by RetrieveKey, and never stands in a list, a log, a
// record, an error or a stored answer; that a deletion waits and can be taken back; and that a name which
// is given again inherits nothing.
//
// It never authorizes, never writes a record, and has no cipher: wrapping is the Key Manager's, which it
// asks through an interface.
package vault

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// Limits of what callers name and send.
const (
	MaxName        = 512      // characters, as in AWS Secrets Manager
	MaxValue       = 64 << 10 // bytes
	MaxMetadata    = 50       // members
	MaxTags        = 50
	MaxDescription = 2048 // characters
	// MaxVersions is how many versions are kept: beyond it, the oldest without a stage goes.
	MaxVersions = 100
	// MinDays and MaxDays bound the wait before a deletion; MaxDays is the default.
	MinDays = 7
	MaxDays = 30
)

// Stage is what a version is for.
type Stage string

// The stages. Every stored key has a current version; of the others there may be none.
const (
	Current  Stage = "current"
	Pending  Stage = "pending"
	Previous Stage = "previous"
)

func (s Stage) valid() bool { return s == Current || s == Pending || s == Previous }

// StoredKey is a stored key's document. It holds no value.
type StoredKey struct {
	Name        string `json:"name"`
	ARN         string `json:"arn"`
	Description string `json:"description,omitzero"`
	// KMSKeyID is the master key that protects values stored from now on.
	KMSKeyID string `json:"kms_key_id"`
	// Metadata is the current version's: what its owner says of it.
	Metadata  map[string]string `json:"metadata,omitzero"`
	Tags      map[string]string `json:"tags,omitzero"`
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy gate.ID           `json:"created_by"`
	ChangedAt time.Time         `json:"changed_at"`
	// Stages tells which version has which stage.
	Stages   map[Stage]string `json:"stages"`
	Versions int              `json:"versions"`
	// Generate says what is generated when it is rotated; absent: it is not.
	Generate string `json:"generate,omitzero"`
	// Rotation is the schedule expression by which it is rotated, NextRotationAt when that is next.
	Rotation       string    `json:"rotation,omitzero"`
	NextRotationAt time.Time `json:"next_rotation_at,omitzero"`
	LastRotatedAt  time.Time `json:"last_rotated_at,omitzero"`
	// DeletionDate is when it is deleted for good; nobody retrieves it meanwhile.
	DeletionDate time.Time `json:"deletion_date,omitzero"`
}

// StoredVersion is one version as ListStoredKeyVersions shows it.
type StoredVersion struct {
	VersionID string            `json:"version_id"`
	Stages    []Stage           `json:"stages,omitzero"`
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy gate.ID           `json:"created_by"`
	Metadata  map[string]string `json:"metadata,omitzero"`
	// WrappedBy is the master version that wraps it, ID@N.
	WrappedBy string `json:"wrapped_by"`
}

// Reference names a stored key, by its name or its ARN.
type Reference struct {
	Name string `json:"name,omitzero"`
	ARN  string `json:"arn,omitzero"`
}

// Wrapper wraps values under master keys. Package keys implements it.
type Wrapper interface {
	// Master returns the id of the master key that a request names; the default one for "".
	Master(ctx context.Context, a gate.Approved, text string) (gate.ID, error)
	// WrapValue wraps a value under the primary of a master key, for where the binding says it belongs. It
	// tells the index value by which the item is found when that version is given up.
	WrapValue(ctx context.Context, a gate.Approved, master gate.ID, b blob.Binding, value secret.Bytes) (w crypt.Wrapped, index string, err error)
	// UnwrapValue undoes it. Recovery tells that the master version is compromised: it goes into the record.
	UnwrapValue(ctx context.Context, a gate.Approved, b blob.Binding, w crypt.Wrapped) (value secret.Bytes, recovery bool, err error)
}
