package lifecycle

import (
	"math"
	"time"
)

// Change is what a transition made of a key and of up to two of its versions: all of it is to be
// written in one commit. A version that the transition left alone is the zero Version.
type Change struct {
	Key Key
	Old Version // the version that was the primary, or that the operation named
	New Version // the new primary
}

// Create returns a new key with its first version, active.
func Create(p Policy, now time.Time) (Change, error) {
	if err := p.check(); err != nil {
		return Change{}, err
	}
	return newPrimary(Key{Policy: p}, now)
}

// CreateExternal returns a new key whose material is imported. Its first version is pending until
// [Import].
func CreateExternal(p Policy, now time.Time) (Change, error) {
	if err := p.check(); err != nil {
		return Change{}, err
	}
	return addPending(Key{Policy: p, External: true}, now)
}

// AddPending adds a pending version to the key; it is Change.New.
func AddPending(k Key, now time.Time) (Change, error) {
	if err := allow(OpAddPending, k, Version{}); err != nil {
		return Change{}, err
	}
	return addPending(k, now)
}

func addPending(k Key, now time.Time) (Change, error) {
	if k.Versions == math.MaxUint32 {
		return Change{}, &Refusal{Reason: ReasonTooManyVersions}
	}
	k.Versions++
	return Change{Key: k, New: Version{
		Number: k.Versions, State: Pending, CreatedAt: moment(now), LifetimeEndsAt: afterDays(now, k.LifetimeDays),
	}}, nil
}

func newPrimary(k Key, now time.Time) (Change, error) {
	c, err := addPending(k, now)
	if err != nil {
		return Change{}, err
	}
	c.Key, c.New = promote(c.Key, c.New, now)
	return c, nil
}

// promote makes v the primary; its cryptoperiod begins.
func promote(k Key, v Version, now time.Time) (Key, Version) {
	k.Primary = v.Number
	v.State = Active
	v.ExpiresAt = afterDays(now, k.RotationDays)
	v.DeletionDate = time.Time{}
	return k, v
}

// Rotate adds a new version and makes it the primary. Old is the primary, or the zero Version when
// the key has none; it goes to rotating, or to deprecated when there is no grace period. Versions
// that were rotating already keep their own deadline. Where material is imported, [Import] does it.
func Rotate(k Key, old Version, now time.Time) (Change, error) {
	if k.External {
		if err := allowKey(OpRotate, k); err != nil {
			return Change{}, err
		}
		return Change{}, &Refusal{Reason: ReasonNeedsMaterial}
	}
	old, err := replace(k, old, now)
	if err != nil {
		return Change{}, err
	}
	c, err := newPrimary(k, now)
	if err != nil {
		return Change{}, err
	}
	c.Old = old
	return c, nil
}

// Activate makes a pending version the primary; otherwise as [Rotate].
func Activate(k Key, old, pending Version, now time.Time) (Change, error) {
	pending, _ = Advance(k, pending, now)
	if k.Status() == Disabled {
		return Change{}, suspended(k, now)
	}
	if err := allow(OpActivate, k, pending); err != nil {
		return Change{}, err
	}
	if passed(pending.DeletionDate, now) {
		return Change{}, &Refusal{Reason: ReasonDestroyed, Version: pending.Number}
	}
	old, err := replace(k, old, now)
	if err != nil {
		return Change{}, err
	}
	pending.ActivatedAt = moment(now)
	k, pending = promote(k, pending, now)
	return Change{Key: k, Old: old, New: pending}, nil
}

// replace takes the primary out of its place. The grace period never reaches beyond the end of the
// version's life.
func replace(k Key, old Version, now time.Time) (Version, error) {
	if old.Number != k.Primary {
		return Version{}, &Refusal{Reason: ReasonWrongVersion, Version: old.Number}
	}
	if k.Status() == Disabled {
		return Version{}, suspended(k, now)
	}
	if err := allowKey(OpRotate, k); err != nil {
		return Version{}, err
	}
	if k.Primary == 0 {
		return Version{}, nil
	}
	if err := allow(OpRotate, k, old); err != nil {
		return Version{}, err
	}
	old.State = Rotating
	old.GraceEndsAt = earlier(afterDays(now, k.GraceDays), old.LifetimeEndsAt)
	if k.GraceDays == 0 || passed(old.GraceEndsAt, now) {
		old.State = Deprecated
		old.GraceEndsAt = moment(now)
	}
	return old, nil
}

// Deprecate ends a version's grace period now. The primary is never deprecated: rotate.
func Deprecate(k Key, v Version, now time.Time) (Version, error) {
	v, _ = Advance(k, v, now)
	if v.Number == k.Primary {
		return Version{}, &Refusal{Reason: ReasonPrimary, Version: v.Number}
	}
	if err := allow(OpDeprecate, k, v); err != nil {
		return Version{}, err
	}
	v.State = Deprecated
	v.GraceEndsAt = moment(now)
	return v, nil
}

// CompromiseVersion marks one version compromised; it is Change.Old. If it is the primary the key
// has none afterwards, unless newPrimary asks for one and the key may be rotated: then that is
// Change.New. That the key may not be rotated never hinders the mark.
//
// A deletion date stays: cancel it to keep the material for a recovery.
func CompromiseVersion(k Key, v Version, withPrimary bool, now time.Time) (Change, error) {
	v, _ = Advance(k, v, now)
	if err := allow(OpCompromiseVersion, k, v); err != nil {
		return Change{}, err
	}
	v.State = Compromised
	v.WasCompromised = true
	c := Change{Key: k, Old: v}
	if v.Number != k.Primary {
		return c, nil
	}
	c.Key.Primary = 0
	if !withPrimary {
		return c, nil
	}
	if next, err := Rotate(c.Key, Version{}, now); err == nil {
		c.Key, c.New = next.Key, next.New
	}
	return c, nil
}

// CompromiseKey marks every version the key has compromised, by one mark on the key. It has no
// primary until rotated. The versions' own records follow by [Advance].
func CompromiseKey(k Key) (Key, error) {
	if err := allowKey(OpCompromiseKey, k); err != nil {
		return Key{}, err
	}
	if k.CompromisedThrough == k.Versions {
		return Key{}, &Refusal{Reason: ReasonCompromised}
	}
	k.CompromisedThrough = k.Versions
	k.Primary = 0
	return k, nil
}

// Disable suspends the key until it is enabled, or, when until is not zero, until then. A
// suspension that stands is never shortened: enable first.
func Disable(k Key, until, now time.Time) (Key, error) {
	if err := allowKey(OpDisable, k); err != nil {
		return Key{}, err
	}
	if passed(until, now) {
		return Key{}, &Refusal{Reason: ReasonPeriod}
	}
	if !until.IsZero() {
		until = moment(until)
	}
	if k.Disabled && (k.DisabledUntil.IsZero() || !until.IsZero() && until.Before(k.DisabledUntil)) {
		until = k.DisabledUntil
	}
	k.Disabled, k.DisabledUntil = true, until
	return k, nil
}

// Enable ends a suspension. Enabling an enabled key changes nothing.
func Enable(k Key) (Key, error) {
	if err := allowKey(OpEnable, k); err != nil {
		return Key{}, err
	}
	k.Disabled, k.DisabledUntil = false, time.Time{}
	return k, nil
}

// SetPolicy gives the key new periods and the primary, unless it is the zero Version because there
// is none, the cryptoperiod that follows. Versions made later get the new lifetime; for those
// that exist see [SetLifetime].
func SetPolicy(k Key, primary Version, p Policy) (Key, Version, error) {
	if err := allowKey(OpSetPolicy, k); err != nil {
		return Key{}, Version{}, err
	}
	if err := p.check(); err != nil {
		return Key{}, Version{}, err
	}
	if primary.Number != k.Primary {
		return Key{}, Version{}, &Refusal{Reason: ReasonWrongVersion, Version: primary.Number}
	}
	if p.RotationDays != k.RotationDays && k.Primary != 0 {
		began := primary.ActivatedAt
		if began.IsZero() {
			began = primary.CreatedAt
		}
		primary.ExpiresAt = afterDays(began, p.RotationDays)
	}
	k.Policy = p
	return k, primary, nil
}

// SetLifetime gives a version the lifetime of its key's policy. A version that is expired already
// stays so: it can only be restored.
func SetLifetime(k Key, v Version, now time.Time) (Version, error) {
	v, _ = Advance(k, v, now)
	if err := allowKey(OpSetPolicy, k); err != nil {
		return Version{}, err
	}
	if v.State < Expired {
		v.LifetimeEndsAt = afterDays(v.CreatedAt, k.LifetimeDays)
	}
	return v, nil
}

// allowKey asks the table about the key alone.
func allowKey(op Operation, k Key) error {
	allowed, status := table.Moves[op].Key, k.Status()
	switch {
	case allowed.Has(status):
		return nil
	case status == Gone:
		return &Refusal{Reason: ReasonDestroyed}
	case status == PendingDeletion:
		return &Refusal{Reason: ReasonPendingDeletion}
	case allowed.Has(PendingDeletion):
		return &Refusal{Reason: ReasonNotPendingDeletion}
	}
	return &Refusal{Reason: ReasonDisabled}
}

// allow asks the table about the key and a version by what is recorded of it.
func allow(op Operation, k Key, v Version) error {
	if err := allowKey(op, k); err != nil {
		return err
	}
	from := table.Moves[op].From
	if s := recorded(k, v); from != 0 && !from.Has(s) {
		reason := table.Rows[s].Reason
		if s == Active {
			reason = ReasonActive
		}
		return &Refusal{Reason: reason, Version: v.Number}
	}
	return nil
}
