package lifecycle

import (
	"errors"
	"fmt"
	"time"
)

// Reason says why something was refused. The texts are stable: they are part of error codes and
// audit records.
type Reason string

// The reasons.
const (
	ReasonDisabled        Reason = "disabled"
	ReasonPendingDeletion Reason = "pending_deletion"
	ReasonPending         Reason = "pending"
	ReasonNotPrimary      Reason = "not_primary"
	ReasonDeprecated      Reason = "deprecated"
	ReasonExpired         Reason = "expired"
	ReasonCompromised     Reason = "compromised"
	ReasonDestroyed       Reason = "destroyed"
	// ReasonRotateFirst: the primary's cryptoperiod has ended. Rotate, then use the new primary.
	ReasonRotateFirst Reason = "rotate_first"
	// ReasonResumeFirst: a suspension that was set for a time is over. Record that with
	// [AdvanceKey], then use the key.
	ReasonResumeFirst Reason = "resume_first"
	// ReasonNeedsMaterial: the same, or a rotation was asked for, and only an import can do it.
	ReasonNeedsMaterial Reason = "needs_material"
	// ReasonMaterialExpired: imported material came to its end or was erased.
	ReasonMaterialExpired Reason = "material_expired"

	// The rest are reasons of transitions only.
	ReasonActive             Reason = "active"               // not possible while active
	ReasonPrimary            Reason = "primary"              // not possible with the primary
	ReasonNotPendingDeletion Reason = "not_pending_deletion" // nothing to cancel
	ReasonNotDue             Reason = "not_due"              // its date has not come
	ReasonWraps              Reason = "still_wraps"          // other keys are wrapped by it
	ReasonPeriod             Reason = "invalid_period"       // days or time outside its limits
	ReasonTooManyVersions    Reason = "too_many_versions"
	ReasonWrongVersion       Reason = "wrong_version" // not the version the operation is about
	ReasonNotExternal        Reason = "not_external"  // the key's material is not imported
)

// Refusal is the error of every use and transition that the table does not allow.
type Refusal struct {
	Reason Reason
	// Version is the number of the version that refused, 0 when the key did.
	Version uint32
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Version == 0 {
		return fmt.Sprintf("lifecycle: refused by the key: %s", r.Reason)
	}
	return fmt.Sprintf("lifecycle: refused by version %d: %s", r.Version, r.Reason)
}

// ErrUntrusted answers [VerifySignature] on a version that is or was compromised. It is no
// refusal: the operation succeeds and its answer is "valid": false, "reason": "compromised",
// whatever the signature, since anyone may have made it and dated it back.
var ErrUntrusted = errors.New("lifecycle: the version is compromised, its signatures are not trusted")

// compromised tells whether the version, or a mark of its key, says so.
func compromised(k Key, v Version) bool {
	return v.State == Compromised || v.WasCompromised || v.Number <= k.CompromisedThrough
}

// recorded is the state by what is written: the stricter of the key's marks and the version's own
// state. Deadlines are not looked at.
func recorded(k Key, v Version) State {
	switch {
	case k.Destroyed || v.State == Destroyed || !v.State.Valid():
		return Destroyed
	case compromised(k, v):
		return Compromised
	case v.State == Active && v.Number != k.Primary:
		return Deprecated // cannot be written by a transition; no right comes of it
	}
	return v.State
}

// Effective returns the state the version is in at now: what is recorded, with every deadline
// that has passed applied. A state that does not exist counts as destroyed.
func Effective(k Key, v Version, now time.Time) State {
	s := recorded(k, v)
	if s == Rotating && passed(v.GraceEndsAt, now) {
		s = Deprecated
	}
	if s == Deprecated && passed(v.LifetimeEndsAt, now) && !v.Wraps {
		s = Expired
	}
	if !v.Wraps && (passed(k.DeletionDate, now) || deletable.Has(s) && passed(v.DeletionDate, now)) {
		s = Destroyed
	}
	return s
}

// suspended is the refusal of a disabled key.
func suspended(k Key, now time.Time) error {
	if passed(k.DisabledUntil, now) {
		return &Refusal{Reason: ReasonResumeFirst}
	}
	return &Refusal{Reason: ReasonDisabled}
}

// Check decides one use of one version: nil, a [*Refusal], or, of VerifySignature only,
// [ErrUntrusted]. Named says that the caller chose this version and did not merely take the
// primary; only in rotating it matters.
//
// On [ReasonRotateFirst] the caller rotates and uses the new primary, or, when it named this
// version, this one: it is rotating then. [ReasonNeedsMaterial] is the same of a key that only an
// import rotates. On [ReasonResumeFirst] it records the end of the suspension and asks again.
func Check(k Key, v Version, use Use, named bool, now time.Time) error {
	switch k.Status() {
	case PendingDeletion:
		return &Refusal{Reason: ReasonPendingDeletion}
	case Disabled:
		return suspended(k, now)
	}
	if use < Protect || use > VerifySignature {
		return fmt.Errorf("lifecycle: no use %d", uint8(use))
	}
	row := &table.Rows[Effective(k, v, now)]
	right := row.Uses[use]
	if right != No && (right != WhenNamed || named) && table.WithoutMaterial[use] == No && v.WithoutMaterial(now) {
		return &Refusal{Reason: ReasonMaterialExpired, Version: v.Number}
	}
	switch right {
	case Yes:
		if use == Protect && v.Ended(now) {
			return &Refusal{Reason: k.rotation(), Version: v.Number}
		}
		return nil
	case WhenNamed:
		if named {
			return nil
		}
	case Untrusted:
		return ErrUntrusted
	case YesUnlessCompromised:
		if compromised(k, v) {
			return ErrUntrusted
		}
		return nil
	}
	return &Refusal{Reason: row.Reason, Version: v.Number}
}
