package lifecycle

import (
	"fmt"
	"time"
)

// Work is what a deadline asks to be done.
type Work uint8

// The works. The zero Work is none.
const (
	WorkRotate        Work = 1 + iota // make a new primary, before the cryptoperiod of this one ends
	WorkDeprecate                     // record that a grace period ended
	WorkExpire                        // record that a lifetime ended
	WorkRecord                        // record what a mark of the key made of a version
	WorkEraseMaterial                 // delete imported material at its end
	WorkDestroy                       // destroy a version, or the key
	WorkResume                        // record that a suspension ended
	works             = int(WorkResume)
)

var workNames = [works + 1]string{
	WorkRotate: "rotate", WorkDeprecate: "deprecate", WorkExpire: "expire", WorkRecord: "record",
	WorkEraseMaterial: "erase-material", WorkDestroy: "destroy", WorkResume: "resume",
}

// String returns the work's name.
func (w Work) String() string {
	if w > 0 && int(w) <= works {
		return workNames[w]
	}
	return fmt.Sprintf("work %d", uint8(w))
}

// Due is something that a deadline asks to be done, and when.
type Due struct {
	Work Work
	At   time.Time
	// Waits says why it cannot be done whatever the time, until somebody does something else first:
	// imports material, enables the key, or moves what a version wraps. "" if nothing hinders it.
	Waits Reason
}

// Dues returns what deadlines ask to be done about a version: to its state, and to its imported
// material. Of a key that is to be destroyed, or was, nothing but with the key.
func Dues(k Key, v Version) []Due {
	if s := k.Status(); s == PendingDeletion || s == Gone || v.State == Destroyed {
		return nil
	}
	var out []Due
	if recorded(k, v) == Compromised && v.State != Compromised {
		return []Due{{Work: WorkRecord, At: deadline(v)}}
	}
	if at := nextState(k, v); !at.IsZero() {
		out = append(out, Due{Work: workOf[v.State], At: at, Waits: waitsFor(k, v)})
	}
	if renewable.Has(v.State) && !v.MaterialErased && !v.MaterialEndsAt.IsZero() {
		due := Due{Work: WorkEraseMaterial, At: v.MaterialEndsAt}
		if v.Wraps {
			due.Waits = ReasonWraps
		}
		out = append(out, due)
	}
	return out
}

// deadline is when the version's state would have changed by itself.
func deadline(v Version) time.Time {
	switch v.State {
	case Active:
		return v.ExpiresAt
	case Rotating:
		return v.GraceEndsAt
	case Deprecated:
		return v.LifetimeEndsAt
	}
	return v.DeletionDate
}

// workOf is what the next deadline of a version in a state asks.
var workOf = [states + 1]Work{
	Pending: WorkDestroy, Active: WorkRotate, Rotating: WorkDeprecate, Deprecated: WorkExpire,
	Expired: WorkDestroy, Compromised: WorkDestroy,
}

// waitsFor says what hinders the change of a version's state.
func waitsFor(k Key, v Version) Reason {
	switch {
	case v.State != Active:
		return ""
	case k.External:
		return ReasonNeedsMaterial
	case k.Status() == Disabled:
		return ReasonDisabled
	}
	return ""
}

// DuesOfKey returns what deadlines ask to be done about the key as a whole.
func DuesOfKey(k Key) []Due {
	at := NextDueKey(k)
	switch {
	case at.IsZero():
		return nil
	case k.Status() == PendingDeletion:
		return []Due{{Work: WorkDestroy, At: at}}
	}
	return []Due{{Work: WorkResume, At: at}}
}
