// Package lifecycle is the life of a key as one table: in which state a version may be used for
// what, which state follows which, and which deadline ends which right.
//
// It is pure: no clock (the time is a parameter), no storage, no key material. Every function
// takes values and returns new ones, or a [*Refusal] and no change.
//
// It guarantees:
//   - a deadline ends a right by itself, at the very nanosecond, whether or not the transition
//     that follows has been recorded yet: see [Effective] and [Check];
//   - a deadline never gives a right: what comes back (a suspension that ends, a version that is
//     restored) comes back by a recorded transition;
//   - compromised is absorbing: no operation and no time leads out of it but to destroyed, and a
//     destroyed version remembers;
//   - no operation moves a version backwards, but one: an expired version can be restored to
//     deprecated until its deletion date.
//
// States and periods are those of NIST SP 800-57 part 1, sections 5.3 and 7; what a key's
// suspension and deletion do is as in AWS KMS.
package lifecycle

import "fmt"

// State is the state of one version of a key.
type State uint8

// The states, in the order of a version's life. The zero State is none of them.
const (
	Pending     State = 1 + iota // made or awaited, never used
	Active                       // the primary: protects and processes
	Rotating                     // replaced; still protects for who names it, until the grace period ends
	Deprecated                   // processes only
	Expired                      // at the end of its lifetime; can be restored until its deletion date
	Compromised                  // known, or feared, to be in other hands
	Destroyed                    // the material is gone; the record stays

	states = int(Destroyed)
)

var stateNames = [...]string{
	Pending: "pending", Active: "active", Rotating: "rotating", Deprecated: "deprecated",
	Expired: "expired", Compromised: "compromised", Destroyed: "destroyed",
}

// Valid tells whether s is one of the states.
func (s State) Valid() bool { return s >= Pending && s <= Destroyed }

// String returns the state's name.
func (s State) String() string {
	if s.Valid() {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText implements [encoding.TextMarshaler]. A state that does not exist is an error: it
// must never reach the store.
func (s State) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("lifecycle: no state %d", uint8(s))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. Only the exact names are read.
func (s *State) UnmarshalText(text []byte) error {
	for i := Pending; i <= Destroyed; i++ {
		if stateNames[i] == string(text) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("lifecycle: no state %q", text)
}

// Status is the state of a whole key. An operation passes only when the key's status and the
// version's state both allow it.
type Status uint8

// The statuses; those of AWS KMS. The zero Status is none of them.
const (
	Enabled         Status = 1 + iota
	Disabled               // suspended; can be enabled again
	PendingDeletion        // nobody uses it; can be cancelled until the deletion date
	Gone                   // its deletion date was reached: every version is, or is being, destroyed

)

var statusNames = [...]string{
	Enabled: "enabled", Disabled: "disabled", PendingDeletion: "pending deletion", Gone: "destroyed",
}

// String returns the status's name.
func (s Status) String() string {
	if s >= Enabled && s <= Gone {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Use is what someone wants to do with a version's material.
type Use uint8

// The uses. The zero Use is none of them and is always refused.
const (
	Protect         Use = 1 + iota // encrypt, wrap, sign, make a MAC
	Process                        // decrypt, unwrap, verify a MAC
	VerifySignature                // needs the public key only

	uses = int(VerifySignature)
)

var useNames = [...]string{
	Protect: "protect", Process: "process", VerifySignature: "verify a signature",
}

// String returns the use's name.
func (u Use) String() string {
	if u >= Protect && u <= VerifySignature {
		return useNames[u]
	}
	return fmt.Sprintf("use %d", uint8(u))
}
