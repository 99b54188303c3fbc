package lifecycle

import "time"

// deletionDate returns when a deletion scheduled now takes place; days 0 is the default.
func deletionDate(days int, now time.Time) (time.Time, error) {
	if days == 0 {
		days = MaxDeletionDays
	}
	if days < MinDeletionDays || days > MaxDeletionDays {
		return time.Time{}, &Refusal{Reason: ReasonPeriod}
	}
	return afterDays(now, uint32(days)), nil
}

// ScheduleKeyDeletion sets the date, days from now (7 to 30; 0: 30), at which the whole key is
// destroyed. Until then nobody uses it, and [CancelKeyDeletion] undoes it.
func ScheduleKeyDeletion(k Key, days int, now time.Time) (Key, error) {
	if err := allowKey(OpScheduleKeyDeletion, k); err != nil {
		return Key{}, err
	}
	date, err := deletionDate(days, now)
	if err != nil {
		return Key{}, err
	}
	k.DeletionDate = date
	return k, nil
}

// CancelKeyDeletion undoes [ScheduleKeyDeletion] before its date. The key is disabled afterwards,
// as in AWS KMS: giving its use back is a decision of its own.
func CancelKeyDeletion(k Key, now time.Time) (Key, error) {
	if err := allowKey(OpCancelKeyDeletion, k); err != nil {
		return Key{}, err
	}
	if passed(k.DeletionDate, now) {
		return Key{}, &Refusal{Reason: ReasonDestroyed}
	}
	k.DeletionDate = time.Time{}
	k.Disabled, k.DisabledUntil = true, time.Time{}
	return k, nil
}

// ScheduleVersionDeletion sets the date, days from now (7 to 30; 0: 30), at which one pending,
// expired or compromised version is destroyed. It replaces a date that was set before and has
// not come.
func ScheduleVersionDeletion(k Key, v Version, days int, now time.Time) (Version, error) {
	v, err := undestroyed(OpScheduleVersionDeletion, k, v, now)
	if err != nil {
		return Version{}, err
	}
	date, err := deletionDate(days, now)
	if err != nil {
		return Version{}, err
	}
	v.DeletionDate = date
	return v, nil
}

// CancelVersionDeletion takes the deletion date away before it comes. The state stays: an expired
// version stays expired (see [RestoreVersion]), a compromised one compromised.
func CancelVersionDeletion(k Key, v Version, now time.Time) (Version, error) {
	v, err := undestroyed(OpCancelVersionDeletion, k, v, now)
	if err != nil {
		return Version{}, err
	}
	if v.DeletionDate.IsZero() {
		return Version{}, &Refusal{Reason: ReasonNotPendingDeletion, Version: v.Number}
	}
	v.DeletionDate = time.Time{}
	return v, nil
}

// RestoreVersion brings an expired version back to deprecated, before its deletion date. Its
// lifetime no longer ends, or it would expire again at once: [SetLifetime] sets another end.
func RestoreVersion(k Key, v Version, now time.Time) (Version, error) {
	v, err := undestroyed(OpRestoreVersion, k, v, now)
	if err != nil {
		return Version{}, err
	}
	v.State = Deprecated
	v.LifetimeEndsAt, v.DeletionDate = time.Time{}, time.Time{}
	return v, nil
}

// undestroyed asks the table and refuses a version whose deletion date has come: it can no longer
// be brought back, though its destruction may not have been recorded yet.
func undestroyed(op Operation, k Key, v Version, now time.Time) (Version, error) {
	v, _ = Advance(k, v, now)
	if err := allow(op, k, v); err != nil {
		return Version{}, err
	}
	if Effective(k, v, now) == Destroyed {
		return Version{}, &Refusal{Reason: ReasonDestroyed, Version: v.Number}
	}
	return v, nil
}

// Advance records in the version what time and the key's marks already made of it: compromised by
// the key's mark, deprecated at the end of its grace, expired at the end of its life, with a
// deletion date 30 days from now (from now, not from then: a late scheduler takes nobody's time
// to restore it). It neither rotates nor destroys: see [Rotate] and [DestroyVersion]. Changed is
// false when nothing was due; every other transition begins with it.
func Advance(k Key, v Version, now time.Time) (next Version, changed bool) {
	before := v
	if s := recorded(k, v); s == Compromised {
		v.State, v.WasCompromised = Compromised, true
		return v, v != before
	}
	if k.Destroyed {
		return v, false
	}
	if v.State == Rotating && passed(v.GraceEndsAt, now) {
		v.State = Deprecated
	}
	if v.State == Deprecated && passed(v.LifetimeEndsAt, now) && !v.Wraps {
		v.State = Expired
		v.DeletionDate = afterDays(now, MaxDeletionDays)
	}
	return v, v != before
}

// AdvanceKey records what time made of the key: the end of a suspension that was set for a time.
// It does not destroy: see [DestroyKey]. Changed is false when nothing was due.
func AdvanceKey(k Key, now time.Time) (next Key, changed bool) {
	if !table.Moves[OpResume].Key.Has(k.Status()) || !passed(k.DisabledUntil, now) {
		return k, false
	}
	k.Disabled, k.DisabledUntil = false, time.Time{}
	return k, true
}

// DestroyKey records that the key's deletion date has come: every version is destroyed from this
// commit on; their material is deleted after it, one by one, by [DestroyVersion]. The caller
// first makes sure that none of them still wraps anything.
func DestroyKey(k Key, now time.Time) (Key, error) {
	if err := allowKey(OpDestroyKey, k); err != nil {
		return Key{}, err
	}
	if !passed(k.DeletionDate, now) {
		return Key{}, &Refusal{Reason: ReasonNotDue}
	}
	k.Destroyed = true
	k.Primary = 0
	return k, nil
}

// DestroyVersion turns the version into a tombstone, which remembers whether it was compromised.
// The caller deletes the material in the same commit. Refused before the version's deletion
// date, or the key's destruction, and while the version wraps anything.
func DestroyVersion(k Key, v Version, now time.Time) (Version, error) {
	v, _ = Advance(k, v, now)
	if v.State == Destroyed {
		return Version{}, &Refusal{Reason: ReasonDestroyed, Version: v.Number}
	}
	if v.Wraps {
		return Version{}, &Refusal{Reason: ReasonWraps, Version: v.Number}
	}
	if !k.Destroyed {
		if err := allow(OpDestroyVersion, k, v); err != nil {
			return Version{}, err
		}
		if !passed(v.DeletionDate, now) {
			return Version{}, &Refusal{Reason: ReasonNotDue, Version: v.Number}
		}
	}
	v.WasCompromised = compromised(k, v)
	v.State = Destroyed
	return v, nil
}

// NextDue returns when something is to be done about the version: rotate it, record the end of its
// grace or life, erase its imported material, destroy it. It looks at the version's own dates only, not at the key's marks,
// which change without the version being written; whoever acts on it asks the table again.
func NextDue(k Key, v Version) time.Time {
	due := nextState(k, v)
	if renewable.Has(v.State) && !v.MaterialErased {
		due = earlier(due, v.MaterialEndsAt)
	}
	return due
}

// nextState is when the version's state is to change.
func nextState(k Key, v Version) time.Time {
	switch {
	case v.State == Active:
		return k.NextRotation(v)
	case v.State == Rotating:
		return v.GraceEndsAt
	case v.Wraps:
		return time.Time{}
	case v.State == Deprecated:
		return v.LifetimeEndsAt
	case deletable.Has(v.State):
		return v.DeletionDate
	}
	return time.Time{}
}

// NextDueKey returns when something is to be done about the key as a whole: destroy it, or end its
// suspension.
func NextDueKey(k Key) time.Time {
	switch k.Status() {
	case PendingDeletion:
		return k.DeletionDate
	case Disabled:
		return k.DisabledUntil
	}
	return time.Time{}
}
