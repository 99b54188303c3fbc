package lifecycle

import "time"

// Material that was made elsewhere and imported: it may have an end of its own, and can be brought
// back. Both are marks on the version beside its state, as a suspension is: without its material a
// version stays in its place, and what needs no material stays possible.

// WithoutMaterial tells whether the version's imported material has come to its end or was erased.
func (v *Version) WithoutMaterial(now time.Time) bool {
	return v.MaterialErased || passed(v.MaterialEndsAt, now)
}

// Import makes a version with material made elsewhere the primary, as [Activate] does: pending, or,
// when that is the zero Version, the key's next. Ends is when its material comes to its end, the
// zero time never.
func Import(k Key, old, pending Version, ends, now time.Time) (Change, error) {
	if err := checkEnd(k, pending, ends, now); err != nil {
		return Change{}, err
	}
	if pending.Number == 0 {
		added, err := AddPending(k, now)
		if err != nil {
			return Change{}, err
		}
		k, pending = added.Key, added.New
	}
	c, err := Activate(k, old, pending, now)
	if err != nil {
		return Change{}, err
	}
	c.New.MaterialEndsAt = ends
	return c, nil
}

// ImportAgain brings the material of a version back, or gives it another end. That it is the same
// material is the caller's to see to. The state stays.
func ImportAgain(k Key, v Version, ends, now time.Time) (Version, error) {
	if err := checkEnd(k, v, ends, now); err != nil {
		return Version{}, err
	}
	v, err := undestroyed(OpImportAgain, k, v, now)
	if err != nil {
		return Version{}, err
	}
	v.MaterialEndsAt, v.MaterialErased = ends, false
	return v, nil
}

// checkEnd holds that the key takes imported material, and that it may end when it is said to.
func checkEnd(k Key, v Version, ends, now time.Time) error {
	switch {
	case !k.External:
		return &Refusal{Reason: ReasonNotExternal}
	case ends.IsZero():
		return nil
	case v.Wraps:
		return &Refusal{Reason: ReasonWraps, Version: v.Number}
	case passed(ends, now), ends.After(afterDays(now, MaxDays)):
		return &Refusal{Reason: ReasonPeriod}
	}
	return nil
}

// EraseMaterial ends a version's imported material: at its time, or at once when its owner asks.
// The caller deletes it in the same commit. [ImportAgain] brings it back. Erasing what is erased
// changes nothing.
func EraseMaterial(k Key, v Version, now time.Time) (Version, error) {
	if !k.External {
		return Version{}, &Refusal{Reason: ReasonNotExternal}
	}
	v, err := undestroyed(OpEraseMaterial, k, v, now)
	if err != nil {
		return Version{}, err
	}
	if v.Wraps {
		return Version{}, &Refusal{Reason: ReasonWraps, Version: v.Number}
	}
	if !v.MaterialErased {
		v.MaterialEndsAt, v.MaterialErased = earlier(v.MaterialEndsAt, moment(now)), true
	}
	return v, nil
}
