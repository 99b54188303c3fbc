package gate

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
)

// setContext puts the encryption context into a record: as it is to 64 bytes, else its hash.
func setContext(r *journal.Record, encoded []byte) {
	if len(encoded) <= journal.MaxContext {
		r.Context = encoded
		return
	}
	sum := sha256.Sum256(encoded)
	r.Context = sum[:]
	r.Flags |= journal.ContextHashed
}

func joinParameters(a, b string) string {
	if a == "" {
		return b
	}
	return a + ";" + b
}

// Time returns the operation's time as a time.Time, UTC.
func (a Approved) Time() time.Time { return time.Unix(0, a.Now()).UTC() }

// Refused maps a lifecycle refusal to InvalidState, in the caller's words: what happened, to
// which key, what to do; or to InvalidRequest where no state would allow what is asked. Any other
// error is Internal.
func Refused(key ID, err error) *Error {
	var r *lifecycle.Refusal
	if !errors.As(err, &r) {
		return &Error{Code: Internal, cause: err}
	}
	if r.Reason == lifecycle.ReasonPeriod {
		e := Errorf(InvalidRequest, "a deletion waits %d to %d days; other periods last at most %d and end in the future",
			lifecycle.MinDeletionDays, lifecycle.MaxDeletionDays, lifecycle.MaxDays)
		e.Key = key
		return e
	}
	detail := advice[r.Reason]
	if detail == "" {
		detail = "not possible: " + string(r.Reason)
	}
	if r.Version != 0 {
		detail = fmt.Sprintf("key %s version %d %s", key, r.Version, detail)
	} else {
		detail = fmt.Sprintf("key %s %s", key, detail)
	}
	return &Error{Code: InvalidState, Key: key, Reason: string(r.Reason), Detail: detail}
}

var advice = map[lifecycle.Reason]string{
	lifecycle.ReasonDisabled:           "is disabled; enable-key lets it be used again",
	lifecycle.ReasonPendingDeletion:    "is pending deletion; cancel-key-deletion keeps it",
	lifecycle.ReasonPending:            "has no material yet: it is imported with get-parameters-for-import and import-key-material",
	lifecycle.ReasonNotPrimary:         "is not the primary; name it with @N while its grace period lasts",
	lifecycle.ReasonDeprecated:         "is deprecated: it decrypts and does not encrypt; use the primary",
	lifecycle.ReasonExpired:            "is expired; restore-version brings it back until its deletion date",
	lifecycle.ReasonCompromised:        "is compromised: it is revoked for good, and what it protected stays closed; use the primary; if the key has none rotate it, or import new material if it is EXTERNAL",
	lifecycle.ReasonDestroyed:          "is destroyed",
	lifecycle.ReasonRotateFirst:        "is at the end of its cryptoperiod; rotate the key",
	lifecycle.ReasonResumeFirst:        "was disabled until now; enable-key lets it be used again",
	lifecycle.ReasonNeedsMaterial:      "needs new material, since nothing but an import rotates a key whose material is imported: get-parameters-for-import, then import-key-material, make the next version",
	lifecycle.ReasonMaterialExpired:    "has no material any more: what was imported came to its end or was deleted; import the same again with get-parameters-for-import for this version",
	lifecycle.ReasonNotExternal:        "makes its own material; only a key created with origin EXTERNAL takes what is imported",
	lifecycle.ReasonActive:             "is active; rotate the key first",
	lifecycle.ReasonPrimary:            "is the primary; rotate the key first",
	lifecycle.ReasonNotPendingDeletion: "is not pending deletion",
	lifecycle.ReasonNotDue:             "is not due yet",
	lifecycle.ReasonWraps:              "still wraps other keys; wrap them under another version first",
	lifecycle.ReasonTooManyVersions:    "has as many versions as there can be",
	lifecycle.ReasonWrongVersion:       "is not the version meant; look again with describe-key",
}
