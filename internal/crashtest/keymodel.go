package crashtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

// life is what is expected of a key: the little of the lifecycle that these clients use, written
// down independently of package lifecycle.
type life struct {
	disabled, deleting bool
	primary            uint32 // 0: none
	versions           []client.State
}

func newLife() life { return life{primary: 1, versions: []client.State{client.Active}} }

func (l life) usable() bool { return !l.disabled && !l.deleting }

// change is a change of a key: an operation and, where one is named, a version.
type change struct {
	op      *gate.Operation
	version uint32
}

func (c change) String() string { return fmt.Sprintf("%s @%d", c.op.Name, c.version) }

// after is the life that a change, which must be possible, leads to.
func (l life) after(c change) life {
	l.versions = slices.Clone(l.versions)
	switch c.op {
	case gate.RotateKey:
		l.rotate()
	case gate.DisableKey:
		l.disabled = true
	case gate.EnableKey:
		l.disabled = false
	case gate.ScheduleKeyDeletion:
		l.deleting = true
	case gate.CancelKeyDeletion:
		l.deleting, l.disabled = false, true
	case gate.DeprecateVersion:
		l.versions[c.version-1] = client.Deprecated
	case gate.MarkCompromised:
		l.compromise(c.version)
	}
	return l
}

func (l *life) rotate() {
	if l.primary != 0 {
		l.versions[l.primary-1] = client.Rotating
	}
	l.versions = append(l.versions, client.Active)
	l.primary = uint32(len(l.versions))
}

// compromise marks one version, or all for 0. A compromised primary is replaced at once where the
// key may be rotated.
func (l *life) compromise(version uint32) {
	if version == 0 {
		for i := range l.versions {
			l.versions[i] = client.Compromised
		}
		l.primary = 0
		return
	}
	l.versions[version-1] = client.Compromised
	if l.primary == version {
		l.primary = 0
		if l.usable() {
			l.rotate()
		}
	}
}

// decrypts tells whether what a version protected can be decrypted.
func (l life) decrypts(version uint32) bool {
	if !l.usable() || int(version) > len(l.versions) {
		return false
	}
	state := l.versions[version-1]
	return state == client.Active || state == client.Rotating || state == client.Deprecated
}

// maxVersions keeps keys small enough to be looked at often.
const maxVersions = 24

// draw returns a change that is possible, or false when nothing more should be done to the key.
func (l life) draw(rng *rand.Rand) (change, bool) {
	rotating := uint32(slices.Index(l.versions, client.Rotating) + 1)
	whole := change{op: gate.MarkCompromised}
	compromised := !slices.ContainsFunc(l.versions, func(s client.State) bool { return s != client.Compromised })
	switch n := rng.IntN(100); {
	case l.deleting && n >= 8 && n < 90:
		return change{op: gate.CancelKeyDeletion}, true
	case l.disabled && n >= 8 && n < 70:
		return change{op: gate.EnableKey}, true
	case n < 4 && !compromised:
		return whole, true
	case n < 14 && l.primary != 0 && len(l.versions) < maxVersions:
		return change{gate.MarkCompromised, l.primary}, true
	case n < 22 && rotating != 0:
		return change{gate.MarkCompromised, rotating}, true
	case l.deleting || l.disabled && n < 85:
		return change{}, false
	case n < 34:
		return change{op: gate.ScheduleKeyDeletion}, true
	case n < 52 && rotating != 0:
		return change{gate.DeprecateVersion, rotating}, true
	case n < 70 && !l.disabled:
		return change{op: gate.DisableKey}, true
	case !l.disabled && len(l.versions) < maxVersions:
		return change{op: gate.RotateKey}, true
	}
	return change{}, false
}

// key is one key and what its clients know of it. Only its manager changes it; users read it.
type key struct {
	id    gate.ID
	owner int

	mu      sync.Mutex
	life    life
	touched bool           // since it was last compared with the server
	done    map[uint16]int // changes that are known to have been made, by operation
	stops   []stop
	// primaries are the versions that a bare use gets at least, from a time on.
	primaries []primary
	// pending is a change whose answer never came.
	pending *attempt
}

type primary struct {
	version uint32
	from    time.Duration
}

// stop is a time in which no use of some versions may be done.
type stop struct {
	version     uint32 // 0: of every version
	through     bool   // and of those before it
	protectOnly bool
	from        time.Duration // when the restricting call was answered
	until       time.Duration // when the call that may lift it was invoked; 0: never
}

// attempt is a change on its way, repeatable with the same idempotency key.
type attempt struct {
	change      change
	idempotency [16]byte
}

// acknowledged takes a change whose answer came at a time.
func (k *key) acknowledged(c change, at time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.life
	k.life = before.after(c)
	k.touched = true
	k.done[c.op.Number]++
	switch {
	case c.op == gate.MarkCompromised && c.version == 0:
		k.stops = append(k.stops, stop{version: uint32(len(before.versions)), through: true, from: at})
	case c.op == gate.MarkCompromised:
		k.stops = append(k.stops, stop{version: c.version, from: at})
	case c.op == gate.DeprecateVersion:
		k.stops = append(k.stops, stop{version: c.version, protectOnly: true, from: at})
	}
	if before.usable() && !k.life.usable() {
		k.stops = append(k.stops, stop{from: at})
	}
	if k.life.primary > before.primary {
		k.primaries = append(k.primaries, primary{k.life.primary, at})
	}
}

// lifting ends the stop of the whole key, because a call that may lift it is invoked.
func (k *key) lifting(c change, at time.Duration) {
	if c.op != gate.EnableKey {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.stops {
		if s := &k.stops[i]; s.version == 0 && s.until == 0 {
			s.until = at
		}
	}
}

// seenStopped begins the stop of the whole key again: at a time it was still stopped.
func (k *key) seenStopped(at time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	open := slices.ContainsFunc(k.stops, func(s stop) bool { return s.version == 0 && s.until == 0 })
	if !k.life.usable() && !open {
		k.stops = append(k.stops, stop{from: at})
	}
}

// forbids tells why a use that was done may not have been, or "".
func (k *key) forbids(u *call) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	protects := u.op != gate.Decrypt
	for _, s := range k.stops {
		if u.invoked < s.from || s.until != 0 && u.answered > s.until || s.protectOnly && !protects {
			continue
		}
		if s.version == 0 || s.version == u.version || s.through && u.version <= s.version {
			return fmt.Sprintf("it began %s after version %d (0: all) was stopped", u.invoked-s.from, s.version)
		}
	}
	if !protects || u.named {
		return ""
	}
	for _, p := range k.primaries {
		if u.invoked >= p.from && u.version < p.version {
			return fmt.Sprintf("it used version %d, and began %s after version %d became the primary", u.version, u.invoked-p.from, p.version)
		}
	}
	return ""
}
