package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/haven-health/haven/lifecycle"
)

// The model knows no states and no fields: it keeps the list of what happened, and every question
// is answered by searching that list anew. Time is counted in whole days.

type event struct {
	op      string
	version int
	day     int
	days    int // of a wait; 0 is the default, or for good
}

type history struct {
	grace, lifetime int
	external        bool // material is imported
	events          []event
}

const never = 1 << 30

func (h history) before(i int) history { h.events = h.events[:i]; return h }

// last returns the index of the last of these events, of any version when v is 0, or -1.
func (h history) last(v int, ops ...string) int {
	for i := len(h.events) - 1; i >= 0; i-- {
		if e := h.events[i]; slices.Contains(ops, e.op) && (v == 0 || e.version == v) {
			return i
		}
	}
	return -1
}

func (h history) versions() (n int) {
	for _, e := range h.events {
		if e.op == "rotate" || e.op == "add pending" {
			n++
		}
	}
	return n
}

func (h history) primary() int {
	for i := len(h.events) - 1; i >= 0; i-- {
		switch e := h.events[i]; e.op {
		case "rotate", "activate":
			return e.version
		case "compromise key", "destroy key":
			return 0
		case "compromise":
			if h.before(i).primary() == e.version {
				return 0
			}
		}
	}
	return 0
}

func (h history) compromised(v int) bool {
	key := h.last(0, "compromise key")
	return h.last(v, "compromise") >= 0 || key >= 0 && v <= h.before(key).versions()
}

func (h history) destroyed(v int) bool {
	return h.last(v, "destroy version") >= 0 || h.last(0, "destroy key") >= 0
}

// natural is the state that time and rotation lead to, compromise and destruction aside.
func (h history) natural(v, today int) string {
	promoted := h.last(v, "rotate", "activate")
	if promoted < 0 {
		return "pending"
	}
	replaced := -1
	for i := len(h.events) - 1; i > promoted; i-- {
		if e := h.events[i]; e.op == "rotate" || e.op == "activate" {
			replaced = i
		}
	}
	if replaced < 0 {
		return "active"
	}
	life := never
	if h.lifetime > 0 {
		life = h.events[h.last(v, "rotate", "add pending")].day + h.lifetime
	}
	end := max(h.events[replaced].day, min(h.events[replaced].day+h.grace, life))
	if i := h.last(v, "deprecate"); i >= 0 {
		end = h.events[i].day
	}
	switch {
	case today < end:
		return "rotating"
	case today < life || h.last(v, "restore") >= 0:
		return "deprecated"
	}
	return "expired"
}

// date is the day of the version's destruction, as set or as it follows from its expiry having
// been noticed.
func (h history) date(v int) int {
	date, noticed := never, false
	for i, e := range h.events {
		if e.version != v {
			continue
		}
		past := h.before(i)
		if !noticed && past.last(v, "rotate", "activate") >= 0 && !past.compromised(v) && past.natural(v, e.day) == "expired" {
			noticed, date = true, e.day+30
		}
		switch e.op {
		case "schedule version":
			date = e.day + wait(e.days)
		case "cancel version", "restore", "activate":
			date = never
		}
	}
	return date
}

func wait(days int) int {
	if days == 0 {
		return 30
	}
	return days
}

// recorded is the state without destruction by the calendar.
func (h history) recorded(v, today int) string {
	switch {
	case h.destroyed(v):
		return "destroyed"
	case h.compromised(v):
		return "compromised"
	}
	return h.natural(v, today)
}

func (h history) keyDate() int {
	if i := h.last(0, "schedule key", "cancel key"); i >= 0 && h.events[i].op == "schedule key" {
		return h.events[i].day + wait(h.events[i].days)
	}
	return never
}

func deletable(state string) bool {
	return state == "pending" || state == "expired" || state == "compromised"
}

func (h history) effective(v, today int) string {
	s := h.recorded(v, today)
	if today >= h.keyDate() || deletable(s) && today >= h.date(v) {
		return "destroyed"
	}
	return s
}

func (h history) status() string {
	if h.last(0, "destroy key") >= 0 {
		return "gone"
	}
	if h.keyDate() != never {
		return "pending deletion"
	}
	if h.disabledUntil() >= 0 {
		return "disabled"
	}
	return "enabled"
}

// disabledUntil is -1 when the key is not disabled.
func (h history) disabledUntil() int {
	until := -1
	for i, e := range h.events {
		switch e.op {
		case "disable":
			end := never
			if e.days > 0 {
				end = e.day + e.days
			}
			until = max(until, end)
		case "enable":
			until = -1
		case "advance key":
			if e.day >= until && h.before(i).keyDate() == never {
				until = -1
			}
		case "cancel key":
			until = never
		}
	}
	return until
}

// allowed tells whether the event may happen.
func (h history) allowed(e event) bool {
	status, v := h.status(), e.version
	alive, usable := status != "gone", status == "enabled" || status == "disabled"
	waits := e.days == 0 || e.days >= 7 && e.days <= 30
	state := ""
	if v > 0 {
		state = h.recorded(v, e.day)
	}
	there := v > 0 && deletable(state) && h.effective(v, e.day) != "destroyed"
	switch e.op {
	case "rotate":
		return status == "enabled" && !h.external
	case "import":
		return h.external && status == "enabled" && e.days >= 0 && (v == 0 || there && state == "pending")
	case "import again", "erase":
		held := state == "active" || state == "rotating" || state == "deprecated" || state == "expired"
		lives := held && h.effective(v, e.day) != "destroyed"
		return h.external && lives && (usable && e.days >= 0 || e.op == "erase" && alive)
	case "add pending", "disable", "enable":
		return usable
	case "activate":
		return status == "enabled" && there && state == "pending"
	case "deprecate":
		return alive && state == "rotating"
	case "compromise":
		return alive && state != "compromised" && state != "destroyed"
	case "compromise key":
		i := h.last(0, "compromise key")
		return alive && (i < 0 || h.before(i).versions() < h.versions())
	case "schedule key":
		return usable && waits
	case "cancel key":
		return status == "pending deletion" && e.day < h.keyDate()
	case "destroy key":
		return status == "pending deletion" && e.day >= h.keyDate()
	case "schedule version":
		return usable && there && waits
	case "cancel version":
		noticed := state == "expired" && h.date(v) == never && h.last(v, "cancel version") < 0
		return usable && there && (noticed || h.date(v) != never)
	case "restore":
		return usable && there && state == "expired"
	case "destroy version":
		if h.last(v, "destroy version") >= 0 {
			return false
		}
		return status == "gone" || deletable(state) && e.day >= h.date(v)
	}
	return true // advance, advance key
}

// happen adds the event.
func (h *history) happen(e event, withPrimary bool) {
	was := h.primary()
	if e.op == "import" {
		if e.version == 0 {
			h.happen(event{op: "add pending", day: e.day}, false)
			e.version = h.versions()
		}
		h.happen(event{op: "activate", version: e.version, day: e.day}, false)
		e.op = "import again"
	}
	if e.op == "rotate" || e.op == "add pending" {
		e.version = h.versions() + 1
	}
	h.events = append(h.events, e)
	if e.op == "compromise" && e.version == was && withPrimary && h.status() == "enabled" && !h.external {
		h.happen(event{op: "rotate", day: e.day}, false)
	}
}

// without tells whether imported material is missing.
func (h history) without(v, today int) bool {
	i := h.last(v, "import again", "erase")
	if i < 0 {
		return false
	}
	e := h.events[i]
	return e.op == "erase" || e.days > 0 && today >= e.day+e.days
}

// answer is what the model says of a use: "ok", "untrusted" or a reason.
func (h history) answer(v, today int, use lifecycle.Use, named bool) string {
	switch h.status() {
	case "pending deletion":
		return "pending_deletion"
	case "disabled":
		if today >= h.disabledUntil() {
			return "resume_first"
		}
		return "disabled"
	}
	s := h.effective(v, today)
	if use == lifecycle.VerifySignature {
		switch {
		case s == "pending":
			return "pending"
		case h.compromised(v):
			return "untrusted"
		}
		return "ok"
	}
	switch s {
	case "active":
		began := h.events[h.last(v, "rotate", "activate")].day
		switch {
		case h.without(v, today):
			return "material_expired"
		case use == lifecycle.Protect && today >= began+rotationDays && h.external:
			return "needs_material"
		case use == lifecycle.Protect && today >= began+rotationDays:
			return "rotate_first"
		}
		return "ok"
	case "rotating":
		switch {
		case use == lifecycle.Protect && !named:
			return "not_primary"
		case h.without(v, today):
			return "material_expired"
		}
		return "ok"
	case "deprecated":
		switch {
		case use == lifecycle.Process && h.without(v, today):
			return "material_expired"
		case use == lifecycle.Process:
			return "ok"
		}
	}
	return s
}

const rotationDays = 90

func compare(h history, m *machine, today int) error {
	if int(m.key.Primary) != h.primary() || int(m.key.Versions) != h.versions() {
		return fmt.Errorf("key %+v, want primary %d of %d", m.key, h.primary(), h.versions())
	}
	for n := 1; n < len(m.versions); n++ {
		v := m.versions[n]
		if got, want := lifecycle.Effective(m.key, v, onDay(today)).String(), h.effective(n, today); got != want {
			return fmt.Errorf("version %d is %s, want %s", n, got, want)
		}
		for use := lifecycle.Protect; use <= lifecycle.VerifySignature; use++ {
			named := (today+n)%2 == 0
			got := verdict(lifecycle.Check(m.key, v, use, named, onDay(today)))
			if want := h.answer(n, today, use, named); got != want {
				return fmt.Errorf("version %d, %s, named %v: %s, want %s", n, use, named, got, want)
			}
		}
	}
	return nil
}

var eventOps = []string{
	"rotate", "rotate", "rotate", "add pending", "activate", "deprecate", "compromise", "compromise key", "disable",
	"enable", "enable", "schedule key", "cancel key", "cancel key", "destroy key", "schedule version", "cancel version", "restore",
	"restore", "destroy version", "destroy version", "advance", "advance", "advance key", "import", "import", "import again", "erase",
}

func TestRandomSequences(t *testing.T) {
	const sequences, steps, maxVersions = 100_000, 12, 6
	accepted := map[string]int{}
	for seed := range uint64(sequences) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func(list ...int) int { return list[r.IntN(len(list))] }
		h := history{grace: pick(0, 1, 30), lifetime: pick(0, 0, 1, 40, 120)}
		h.external = r.IntN(4) == 0
		create, first := lifecycle.Create, event{op: "rotate"}
		if h.external {
			create, first = lifecycle.CreateExternal, event{op: "add pending"}
		}
		m := &machine{versions: make([]lifecycle.Version, 1)}
		if err := m.take(create(lifecycle.Policy{
			RotationDays: rotationDays, GraceDays: uint32(h.grace), LifetimeDays: uint32(h.lifetime),
		}, onDay(0))); err != nil {
			t.Fatal(err)
		}
		h.happen(first, false)
		today := 0
		for range steps {
			today += pick(0, 0, 0, 1, 6, 7, 29, 30, 31, 90)
			e := event{op: eventOps[r.IntN(len(eventOps))], day: today, version: 1 + r.IntN(h.versions())}
			switch e.op {
			case "rotate", "add pending":
				if h.versions() == maxVersions {
					continue
				}
				e.version = 0
			case "import":
				if e.version = pick(0, e.version); e.version == 0 && h.versions() == maxVersions {
					continue
				}
				e.days = pick(0, -1, 1, 30, 90)
			case "import again":
				e.days = pick(0, -1, 1, 30, 90)
			case "compromise key", "enable", "cancel key", "destroy key", "advance key":
				e.version = 0
			case "disable":
				e.version, e.days = 0, pick(0, 1, 30)
			case "schedule key":
				e.version, e.days = 0, pick(0, 6, 7, 30, 31)
			case "schedule version":
				e.days = pick(0, -1, 6, 7, 30, 31)
			}
			withPrimary := r.IntN(2) == 0
			before := *m
			before.versions = slices.Clone(m.versions)
			err, want := m.do(e, withPrimary), h.allowed(e)
			if (err == nil) != want {
				t.Fatalf("seed %d, %+v after %+v: %v, want allowed %v", seed, e, h, err, want)
			}
			if want {
				h.happen(e, withPrimary)
				accepted[e.op]++
			} else if before.key != m.key || !slices.Equal(before.versions, m.versions) {
				t.Fatalf("seed %d: refused %+v changed something", seed, e)
			}
			if err := compare(h, m, today); err != nil {
				t.Fatalf("seed %d, after %+v: %v", seed, h, err)
			}
		}
	}
	for _, op := range eventOps {
		if accepted[op] < sequences/1000 {
			t.Errorf("%q happened only %d times", op, accepted[op])
		}
	}
	t.Log(accepted)
}
