package lifecycle_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/haven-health/haven/lifecycle"
)

// The closure: every state a key with up to three versions can reach, by every operation and by
// every deadline passing, alone and in any order. Time stands at now; a deadline that passes is
// moved to the past instead, and one that stands is moved to a fixed place in the future, so
// that equal situations are equal values and their number is finite.

const today = 1000

var (
	now    = onDay(today)
	past   = now.Add(-time.Nanosecond)
	future = now.Add(8 * lifecycle.Day)
)

type node struct {
	key      lifecycle.Key
	versions [3]lifecycle.Version
}

func (n node) all() []lifecycle.Version { return n.versions[:n.key.Versions] }

func (n node) String() string {
	text, err := json.Marshal([]any{n.key, n.all()})
	return fmt.Sprint(string(text), err)
}

func settle(t *time.Time) {
	if !t.IsZero() && t.After(now) {
		*t = future
	} else if !t.IsZero() {
		*t = past
	}
}

// normal drops what no rule looks at any more, so that the closure stays finite and small.
func (n node) normal() node {
	settle(&n.key.DisabledUntil)
	settle(&n.key.DeletionDate)
	for i := range n.all() {
		v := &n.versions[i]
		v.CreatedAt, v.ActivatedAt = past, time.Time{}
		settle(&v.ExpiresAt)
		settle(&v.GraceEndsAt)
		settle(&v.LifetimeEndsAt)
		settle(&v.DeletionDate)
		settle(&v.MaterialEndsAt)
		if v.MaterialErased || v.State == lifecycle.Compromised || v.State == lifecycle.Destroyed {
			v.MaterialEndsAt = time.Time{}
		}
		if v.State != lifecycle.Active {
			v.ExpiresAt = time.Time{}
		}
		if v.State != lifecycle.Rotating {
			v.GraceEndsAt = time.Time{}
		}
		if v.State >= lifecycle.Expired {
			v.LifetimeEndsAt = time.Time{}
		}
		if v.State == lifecycle.Destroyed {
			v.DeletionDate = time.Time{}
		}
	}
	return n
}

// oracle is the table of states, written again by hand: what each answers to protect unnamed,
// protect named, process, verify a signature.
var oracle = map[string][4]string{
	"pending":     {"pending", "pending", "pending", "pending"},
	"active":      {"ok", "ok", "ok", "ok"},
	"ended":       {"rotate_first", "rotate_first", "ok", "ok"}, // active, its cryptoperiod over
	"rotating":    {"not_primary", "ok", "ok", "ok"},
	"deprecated":  {"deprecated", "deprecated", "ok", "ok"},
	"expired":     {"expired", "expired", "expired", "ok"},
	"compromised": {"compromised", "compromised", "compromised", "untrusted"},
	"destroyed":   {"destroyed", "destroyed", "destroyed", "ok"},
	"lost":        {"destroyed", "destroyed", "destroyed", "untrusted"}, // destroyed, was compromised
}

// leads is where a version may go in one step, written again by hand in the oracle's words.
var leads = map[string][]string{
	"":            {"pending", "active"},
	"pending":     {"active", "compromised", "destroyed"},
	"active":      {"ended", "rotating", "deprecated", "expired", "compromised", "destroyed"},
	"ended":       {"rotating", "deprecated", "expired", "compromised", "destroyed"},
	"rotating":    {"deprecated", "expired", "compromised", "destroyed"},
	"deprecated":  {"expired", "compromised", "destroyed"},
	"expired":     {"deprecated", "compromised", "destroyed"}, // deprecated: restored
	"compromised": {"lost"},
	"destroyed":   {"lost"}, // by the calendar, and marked before its material was deleted
	"lost":        {},
}

// row names the oracle's row for a version, by its fields.
func (n node) row(v lifecycle.Version) string {
	gone := func(t time.Time) bool { return t.Equal(past) }
	bad := v.WasCompromised || v.Number <= n.key.CompromisedThrough
	s := v.State.String()
	if s == "rotating" && gone(v.GraceEndsAt) {
		s = "deprecated"
	}
	if s == "deprecated" && gone(v.LifetimeEndsAt) {
		s = "expired"
	}
	if bad && s != "destroyed" {
		s = "compromised"
	}
	waiting := s == "pending" || s == "expired" || s == "compromised"
	if n.key.Destroyed || gone(n.key.DeletionDate) || waiting && gone(v.DeletionDate) {
		s = "destroyed"
	}
	if s == "destroyed" && bad {
		s = "lost"
	}
	if s == "active" && gone(v.ExpiresAt) {
		s = "ended"
	}
	return s
}

// accepts is which operations are possible, written again by hand.
func (n node) accepts(op string, v lifecycle.Version) bool {
	status := "enabled"
	switch {
	case n.key.Destroyed:
		status = "gone"
	case !n.key.DeletionDate.IsZero():
		status = "deletion"
	case n.key.Disabled:
		status = "disabled"
	}
	usable := status == "enabled" || status == "disabled"
	row := n.row(v)
	switch op {
	case "rotate":
		return status == "enabled" && !n.key.External
	case "import":
		return n.key.External && status == "enabled" && (v.Number == 0 || row == "pending")
	case "import again", "erase":
		held := row == "active" || row == "ended" || row == "rotating" || row == "deprecated" || row == "expired"
		return n.key.External && held && (usable || op == "erase" && status == "deletion")
	case "activate":
		return status == "enabled" && row == "pending"
	case "add pending", "disable", "enable", "schedule key":
		return usable
	case "deprecate":
		return status != "gone" && !n.key.Destroyed && n.withoutDates().row(v) == "rotating"
	case "compromise":
		alive := v.State != lifecycle.Destroyed && status != "gone"
		return alive && !v.WasCompromised && v.Number > n.key.CompromisedThrough
	case "compromise key":
		return status != "gone" && n.key.CompromisedThrough < n.key.Versions
	case "cancel key":
		return status == "deletion" && n.key.DeletionDate.Equal(future)
	case "destroy key":
		return status == "deletion" && n.key.DeletionDate.Equal(past)
	case "schedule version":
		return usable && (row == "pending" || row == "expired" || row == "compromised")
	case "cancel version": // an expiry not yet recorded gets its date first
		unrecorded := row == "expired" && v.State != lifecycle.Expired
		return usable && (row == "pending" || row == "expired" || row == "compromised") && (unrecorded || !v.DeletionDate.IsZero())
	case "restore":
		return usable && row == "expired"
	case "destroy version":
		if v.State == lifecycle.Destroyed {
			return false
		}
		return status == "gone" || (row == "destroyed" || row == "lost") && v.DeletionDate.Equal(past)
	}
	return true
}

// withoutDates is the node before any deletion date.
func (n node) withoutDates() node { n.key.DeletionDate = time.Time{}; return n }

var ofVersions = []string{
	"activate", "deprecate", "compromise", "schedule version", "cancel version", "restore", "destroy version", "advance",
	"import", "import again", "erase",
}

var closureOps = slices.Compact(slices.Sorted(slices.Values(eventOps)))

// steps yields all that can follow: each operation on each version, each deadline passing.
// Untils says that the key is disabled for a time, too.
func (n node) steps(t *testing.T, untils bool, yield func(op string, v int, next node)) {
	for _, op := range closureOps {
		targets := []int{0}
		if slices.Contains(ofVersions, op) {
			targets = []int{1, 2, 3}[:n.key.Versions]
		}
		if op == "import" { // the next one, too
			targets = append(targets, 0)
		}
		for _, v := range targets {
			choices := []bool{false}
			if op == "compromise" || op == "import again" || op == "disable" && untils {
				choices = []bool{false, true}
			}
			for _, choice := range choices {
				m := machine{key: n.key, versions: append([]lifecycle.Version{{}}, n.all()...)}
				e := event{op: op, version: v, day: today}
				if (op == "disable" || op == "import again") && choice {
					e.days = 10
				}
				want := n.accepts(op, m.versions[v])
				err := m.do(e, choice)
				if (err == nil) != want {
					t.Fatalf("%s of version %d: %v, want allowed %v, in %s", op, v, err, want, n)
				}
				if err == nil && m.key.Versions <= 3 {
					next := node{key: m.key}
					copy(next.versions[:], m.versions[1:])
					yield(op, v, next.normal())
				}
			}
		}
	}
	n.pass(func(next node) { yield("time", 0, next.normal()) })
}

// pass yields the node with each of its standing deadlines passed.
func (n node) pass(yield func(node)) {
	one := func(field func(*node) *time.Time) {
		if next := n; field(&next).Equal(future) {
			*field(&next) = past
			yield(next)
		}
	}
	one(func(n *node) *time.Time { return &n.key.DisabledUntil })
	one(func(n *node) *time.Time { return &n.key.DeletionDate })
	for i := range n.all() {
		one(func(n *node) *time.Time { return &n.versions[i].ExpiresAt })
		one(func(n *node) *time.Time { return &n.versions[i].GraceEndsAt })
		one(func(n *node) *time.Time { return &n.versions[i].LifetimeEndsAt })
		one(func(n *node) *time.Time { return &n.versions[i].DeletionDate })
		one(func(n *node) *time.Time { return &n.versions[i].MaterialEndsAt })
	}
}

// check compares one node with the table and with what always holds.
func (n node) check(t *testing.T) {
	for _, v := range n.all() {
		want := oracle[n.row(v)]
		for i := range want[:3] {
			if want[i] == "rotate_first" && n.key.External {
				want[i] = "needs_material"
			}
			if (v.MaterialErased || v.MaterialEndsAt.Equal(past)) && (want[i] == "ok" || want[i] == "needs_material") {
				want[i] = "material_expired"
			}
		}
		switch {
		case n.key.Destroyed:
		case !n.key.DeletionDate.IsZero():
			want = [4]string{"pending_deletion", "pending_deletion", "pending_deletion", "pending_deletion"}
		case n.key.Disabled && n.key.DisabledUntil.Equal(past):
			want = [4]string{"resume_first", "resume_first", "resume_first", "resume_first"}
		case n.key.Disabled:
			want = [4]string{"disabled", "disabled", "disabled", "disabled"}
		}
		got := [4]string{
			verdict(lifecycle.Check(n.key, v, lifecycle.Protect, false, now)),
			verdict(lifecycle.Check(n.key, v, lifecycle.Protect, true, now)),
			verdict(lifecycle.Check(n.key, v, lifecycle.Process, false, now)),
			verdict(lifecycle.Check(n.key, v, lifecycle.VerifySignature, false, now)),
		}
		if got != want {
			t.Fatalf("version %d: %v, want %v, in %s", v.Number, got, want, n)
		}
		if active := v.State == lifecycle.Active && n.row(v) != "compromised" && !n.key.Destroyed; n.row(v) != "lost" &&
			active != (v.Number == n.key.Primary) {
			t.Fatalf("version %d is %s, the primary is %d, in %s", v.Number, v.State, n.key.Primary, n)
		}
	}
}

// follows checks that one step of the closure leads where versions may go. That it holds for
// every edge makes it hold for every sequence, of any length: compromised is absorbing.
func (n node) follows(t *testing.T, op string, next node) {
	for i, v := range next.all() {
		from, to := "", next.row(v)
		if i < int(n.key.Versions) {
			from = n.row(n.versions[i])
		}
		if from != to && !slices.Contains(leads[from], to) {
			t.Fatalf("%s leads version %d from %q to %q: from %s to %s", op, v.Number, from, to, n, next)
		}
		if from == "expired" && to == "deprecated" && op != "restore" {
			t.Fatalf("%s restored version %d", op, v.Number)
		}
	}
}

func TestClosure(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy lifecycle.Policy
		atMost uint32 // versions
		create func(lifecycle.Policy, time.Time) (lifecycle.Change, error)
	}{
		{"all deadlines", lifecycle.Policy{RotationDays: 90, GraceDays: 30, LifetimeDays: 200}, 2, lifecycle.Create},
		{"no end of life", lifecycle.Policy{RotationDays: 90, GraceDays: 30}, 3, lifecycle.Create},
		{"no grace", lifecycle.Policy{LifetimeDays: 200}, 3, lifecycle.Create},
		{"imported", lifecycle.Policy{RotationDays: 90, GraceDays: 30}, 2, lifecycle.CreateExternal},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var first node
			created, err := test.create(test.policy, now)
			if err != nil {
				t.Fatal(err)
			}
			first.key, first.versions[0] = created.Key, created.New
			first = first.normal()
			reached := map[node]bool{first: true}
			edges, todo := 0, []node{first}
			for len(todo) > 0 {
				n := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				n.check(t)
				n.steps(t, test.atMost < 3, func(op string, _ int, next node) {
					edges++
					n.follows(t, op, next)
					if next.key.Versions <= test.atMost && !reached[next] {
						reached[next] = true
						todo = append(todo, next)
					}
				})
			}
			t.Logf("%d states, %d steps", len(reached), edges)
			if len(reached) < 1000 {
				t.Errorf("only %d states", len(reached))
			}
		})
	}
}
