package lifecycle

import "time"

// Days and limits of a policy.
const (
	Day = 24 * time.Hour
	// MaxDays is the longest period of a policy: a hundred years. It keeps every sum inside what
	// a time.Duration can hold.
	MaxDays = 36500
	// MinDeletionDays and MaxDeletionDays bound the wait before destruction; MaxDeletionDays is
	// the default, and what an expired version waits.
	MinDeletionDays = 7
	MaxDeletionDays = 30
)

// Policy holds a key's periods, in days. 0 means never, of GraceDays: none.
type Policy struct {
	// RotationDays is the cryptoperiod of a primary.
	RotationDays uint32 `json:"rotation,omitzero"`
	// RotateEarlyDays is how long before its end the primary is to be replaced; at most half the
	// cryptoperiod counts, so that a short one is not rotated without end.
	RotateEarlyDays uint32 `json:"early,omitzero"`
	// GraceDays is how long a replaced primary still protects for who names it.
	GraceDays uint32 `json:"grace,omitzero"`
	// LifetimeDays, from a version's creation, is when it expires once deprecated.
	LifetimeDays uint32 `json:"lifetime,omitzero"`
}

// DefaultPolicy returns 90 days, replaced 7 days early, 30 days of grace, no end of life.
func DefaultPolicy() Policy {
	return Policy{RotationDays: 90, RotateEarlyDays: 7, GraceDays: 30}
}

func (p Policy) check() error {
	if max(p.RotationDays, p.RotateEarlyDays, p.GraceDays, p.LifetimeDays) > MaxDays {
		return &Refusal{Reason: ReasonPeriod}
	}
	return nil
}

// Key is the life of a whole key: its primary, and the marks that concern every version at once.
// Stored inside the key's body; every time is UTC, and the zero time means never.
type Key struct {
	// Primary is the number of the active version; 0: there is none until the key is rotated.
	Primary uint32 `json:"primary,omitzero"`
	// Versions is how many versions there ever were; they are numbered from 1 to it.
	Versions uint32 `json:"versions,omitzero"`
	// Disabled is the suspension of every use. DisabledUntil says when [AdvanceKey] lifts it;
	// the moment alone does not: from then on a use is told [ReasonResumeFirst].
	Disabled      bool      `json:"disabled,omitzero"`
	DisabledUntil time.Time `json:"until,omitzero"`
	// DeletionDate is when the whole key is destroyed; while it is set nobody uses the key.
	DeletionDate time.Time `json:"deletion,omitzero"`
	// CompromisedThrough marks the versions from 1 to it as compromised, whatever their own
	// records say: they follow later.
	CompromisedThrough uint32 `json:"compromised,omitzero"`
	// External says that its material is made elsewhere and imported: nothing rotates the key but
	// an import.
	External bool `json:"external,omitzero"`
	// Destroyed says that the deletion date was reached and recorded; the versions follow.
	Destroyed bool `json:"destroyed,omitzero"`
	Policy
}

// Version is the life of one version. Stored inside the version's body; every time is UTC, and the
// zero time means never.
type Version struct {
	Number    uint32    `json:"n"`
	State     State     `json:"state"`
	CreatedAt time.Time `json:"created"`
	// ActivatedAt is when a pending version became the primary; zero: when it was created.
	ActivatedAt time.Time `json:"activated,omitzero"`
	// ExpiresAt ends the cryptoperiod of a primary: from then on it only processes until the key
	// was rotated.
	ExpiresAt time.Time `json:"expires,omitzero"`
	// GraceEndsAt ends rotating.
	GraceEndsAt time.Time `json:"grace_ends,omitzero"`
	// LifetimeEndsAt ends deprecated.
	LifetimeEndsAt time.Time `json:"lifetime_ends,omitzero"`
	// DeletionDate ends pending, expired or compromised: the material is destroyed.
	DeletionDate time.Time `json:"deletion,omitzero"`
	// MaterialEndsAt ends the use of imported material, in whatever state the version is; see
	// [ImportAgain]. MaterialErased says that it was deleted.
	MaterialEndsAt time.Time `json:"material_ends,omitzero"`
	MaterialErased bool      `json:"erased,omitzero"`
	// WasCompromised stays when the version is destroyed.
	WasCompromised bool `json:"was_compromised,omitzero"`
	// Wraps is set while other keys or stored keys are wrapped by this version: meanwhile it
	// neither expires nor is destroyed.
	Wraps bool `json:"wraps,omitzero"`
}

// Ended tells whether the version's cryptoperiod is over: it protects no more.
func (v Version) Ended(now time.Time) bool { return passed(v.ExpiresAt, now) }

// Status returns the key's status. The time plays no part: both marks stand until a recorded
// operation takes them away.
func (k Key) Status() Status {
	switch {
	case k.Destroyed:
		return Gone
	case !k.DeletionDate.IsZero():
		return PendingDeletion
	case k.Disabled:
		return Disabled
	}
	return Enabled
}

// NextRotation returns when the version is to be replaced: RotateEarlyDays before its cryptoperiod
// ends, never when it is not the primary or has no such end.
func (k Key) NextRotation(v Version) time.Time {
	if v.State != Active || v.Number != k.Primary || v.ExpiresAt.IsZero() {
		return time.Time{}
	}
	early := time.Duration(min(k.RotateEarlyDays, MaxDays)) * Day
	half := time.Duration(min(k.RotationDays, MaxDays)) * Day / 2
	return v.ExpiresAt.Add(-min(early, half))
}

// rotation is the reason that says what has to be done when a new primary is needed.
func (k Key) rotation() Reason {
	if k.External {
		return ReasonNeedsMaterial
	}
	return ReasonRotateFirst
}

// passed tells whether a deadline ended what it ends: at its very moment it has.
func passed(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// afterDays returns the moment days after t, never for 0. What lies beyond the year 9999 cannot
// be written as RFC 3339 and is cut to its end.
func afterDays(t time.Time, days uint32) time.Time {
	if days == 0 {
		return time.Time{}
	}
	end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	if sum := moment(t).Add(time.Duration(min(days, MaxDays)) * Day); sum.Before(end) {
		return sum
	}
	return end
}

// moment is t as it is stored: UTC, without a monotonic reading.
func moment(t time.Time) time.Time { return t.Round(0).UTC() }

// earlier returns the earlier of two deadlines, of which the zero time is the latest.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
