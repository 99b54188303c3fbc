package keys_test

// The model is written from the specification alone and shares no code with the packages: keys of
// whole days, each rule a line. It answers with the code or, of a state, with the reason.

const never = 0

type modelVersion struct {
	state                          string // as recorded: active, rotating, deprecated, expired, compromised
	expires, grace, life, deletion int    // days, 0 never
	wrappedBy                      int    // version of the master
	wraps                          bool   // of a master: others may be wrapped by it
}

type modelKey struct {
	master   *modelKey   // nil: the root key wraps it, and it wraps others
	children []*modelKey // of a master
	disabled bool
	until    int // disabled; 0 until enabled
	deletion int
	through  int // compromised as a whole up to this version
	primary  int
	versions []modelVersion

	rotation, graceDays, lifetime int
}

// status is what stops the whole key. What was disabled for a time comes back by itself.
func (k *modelKey) status(today int) string {
	switch {
	case k.deletion != never:
		return "pending_deletion"
	case k.disabled && !reached(k.until, today):
		return "disabled"
	}
	return ""
}

func reached(deadline, today int) bool { return deadline != never && deadline <= today }

// recorded is the state by marks and by the deadlines that lead from state to state.
func (k *modelKey) recorded(n, today int) string {
	v := &k.versions[n-1]
	s := v.state
	if n <= k.through {
		s = "compromised"
	}
	if s == "rotating" && reached(v.grace, today) {
		s = "deprecated"
	}
	if s == "deprecated" && reached(v.life, today) && !v.wraps {
		s = "expired"
	}
	return s
}

// effective is the state with the calendar of destruction, too.
func (k *modelKey) effective(n, today int) string {
	s := k.recorded(n, today)
	over := (s == "expired" || s == "compromised") && reached(k.versions[n-1].deletion, today)
	if (reached(k.deletion, today) || over) && !k.versions[n-1].wraps {
		return "destroyed"
	}
	return s
}

// stopped is what the key's master forbids: its use, whatever the key itself says.
func (k *modelKey) stopped(n, today int) string {
	m := k.master
	switch {
	case m == nil:
		return ""
	case m.status(today) != "":
		return "master_" + m.status(today)
	case m.primary == 0 && k.versions[n-1].wrappedBy <= m.through:
		return "master_compromised"
	}
	return ""
}

// protect answers encrypt with version n, or with the primary for 0. A primary at the end of its
// cryptoperiod is rotated on the way.
func (k *modelKey) protect(n, today int) string {
	asked := n
	if n > len(k.versions) {
		return "not_found"
	}
	if n == 0 {
		n = k.primary
	}
	if n == 0 {
		if s := k.status(today); s != "" {
			return s
		}
		return "compromised"
	}
	if s := k.stopped(n, today); s != "" {
		return s
	}
	if s := k.status(today); s != "" {
		return s
	}
	if k.effective(n, today) == "active" && reached(k.versions[n-1].expires, today) {
		if k.rotate(0, today) != "ok" {
			return "rotate_first"
		}
		return k.protect(asked, today)
	}
	switch s := k.effective(n, today); {
	case s == "active":
		return "ok"
	case s == "rotating" && asked == n:
		return "ok"
	case s == "rotating":
		return "not_primary"
	default:
		return s
	}
}

// process answers decrypt of what version n encrypted.
func (k *modelKey) process(n, today int) string {
	if s := k.stopped(n, today); s != "" {
		return s
	}
	if s := k.status(today); s != "" {
		return s
	}
	switch s := k.effective(n, today); s {
	case "active", "rotating", "deprecated":
		return "ok"
	default:
		return s
	}
}

// make adds a version as the primary; its master must be able to wrap.
func (k *modelKey) make(today int) string {
	v := modelVersion{state: "active"}
	if m := k.master; m != nil {
		if s := m.status(today); s != "" {
			return s
		}
		if m.primary == 0 {
			return "compromised"
		}
		if reached(m.versions[m.primary-1].expires, today) {
			m.rotate(0, today)
		}
		v.wrappedBy = m.primary
	} else {
		v.wraps = true
	}
	if k.rotation != never {
		v.expires = today + k.rotation
	}
	if k.lifetime != never {
		v.life = today + k.lifetime
	}
	k.versions = append(k.versions, v)
	k.primary = len(k.versions)
	return "ok"
}

// rewrap is what follows every change of a master by itself: while the master can be used, its
// primary wraps all that it wraps, and nothing else does.
func (k *modelKey) rewrap(today int) {
	if k.status(today) != "" || k.primary == 0 {
		return
	}
	for _, child := range k.children {
		for i := range child.versions {
			if child.versions[i].wrappedBy != k.primary && reached(k.versions[k.primary-1].expires, today) {
				k.rotate(0, today)
			}
		}
	}
	for _, child := range k.children {
		for i := range child.versions {
			child.versions[i].wrappedBy = k.primary
		}
	}
	for i := range k.versions {
		k.versions[i].wraps = i+1 == k.primary
	}
}

func (k *modelKey) rotate(named, today int) string {
	switch {
	case named > len(k.versions):
		return "not_found"
	case named != 0 && named != k.primary:
		return "conflict"
	case k.status(today) != "":
		return k.status(today)
	}
	old := k.primary
	if s := k.make(today); s != "ok" {
		return s
	}
	if old == 0 {
		return "ok"
	}
	v := &k.versions[old-1]
	v.state, v.grace = "rotating", today+k.graceDays
	if v.life != never && v.life < v.grace {
		v.grace = v.life
	}
	if v.grace <= today {
		v.state, v.grace = "deprecated", today
	}
	return "ok"
}

func (k *modelKey) deprecate(n, today int) string {
	switch {
	case n == 0:
		return "invalid_request"
	case n > len(k.versions):
		return "not_found"
	case n == k.primary:
		return "primary"
	}
	if s := k.recorded(n, today); s != "rotating" {
		return s
	}
	k.versions[n-1].state, k.versions[n-1].grace = "deprecated", today
	return "ok"
}

func (k *modelKey) compromise(n int, replace bool, today int) string {
	if n == 0 {
		if k.through == len(k.versions) {
			return "compromised"
		}
		k.through, k.primary = len(k.versions), 0
		return "ok"
	}
	if n > len(k.versions) {
		return "not_found"
	}
	if k.recorded(n, today) == "compromised" {
		return "compromised"
	}
	k.notice(n, today)
	k.versions[n-1].state = "compromised"
	if n == k.primary {
		k.primary = 0
		if replace && k.status(today) == "" {
			k.make(today) // that it cannot be made hinders nothing
		}
	}
	return "ok"
}

// notice records an expiry that nobody recorded yet: destruction is 30 days from now.
func (k *modelKey) notice(n, today int) {
	v := &k.versions[n-1]
	if k.recorded(n, today) == "expired" && v.state != "expired" {
		v.state, v.deletion = "expired", today+30
	}
}

// disable stops the key for some days, or until it is enabled; never for less than it is already.
func (k *modelKey) disable(days, today int) string {
	if k.deletion != never {
		return "pending_deletion"
	}
	stands := k.status(today) != ""
	switch {
	case days == 0:
		k.until = never
	case stands && (k.until == never || k.until > today+days):
	default:
		k.until = today + days
	}
	k.disabled = true
	return "ok"
}

func (k *modelKey) enable() string {
	if k.deletion != never {
		return "pending_deletion"
	}
	k.disabled, k.until = false, never
	return "ok"
}

func (k *modelKey) update() string {
	if k.deletion != never {
		return "pending_deletion"
	}
	return "ok"
}

func wait(days int) (int, bool) {
	if days == 0 {
		days = 30
	}
	return days, days >= 7 && days <= 30
}

func (k *modelKey) schedule(n, days, today int) string {
	days, valid := wait(days)
	switch {
	case n > len(k.versions):
		return "not_found"
	case k.deletion != never:
		return "pending_deletion"
	case n == 0 && !valid:
		return "invalid_request"
	case n == 0:
		k.deletion = today + days
		return "ok"
	}
	if s := k.undestroyed(n, today); s != "" {
		return s
	}
	if !valid {
		return "invalid_request"
	}
	k.notice(n, today)
	k.versions[n-1].deletion = today + days
	return "ok"
}

// undestroyed is why a version's deletion can neither be set nor cancelled; "" when it can.
func (k *modelKey) undestroyed(n, today int) string {
	switch s := k.recorded(n, today); s {
	case "expired", "compromised":
	case "rotating":
		return "not_primary"
	default:
		return s
	}
	if k.effective(n, today) == "destroyed" {
		return "destroyed"
	}
	return ""
}

func (k *modelKey) cancel(n, today int) string {
	if n > len(k.versions) {
		return "not_found"
	}
	if n == 0 {
		switch {
		case k.deletion == never:
			return "not_pending_deletion"
		case reached(k.deletion, today) && len(k.children) == 0:
			return "destroyed"
		}
		k.deletion, k.disabled, k.until = never, true, never
		return "ok"
	}
	if k.deletion != never {
		return "pending_deletion"
	}
	if s := k.undestroyed(n, today); s != "" {
		return s
	}
	k.notice(n, today)
	if k.versions[n-1].deletion == never {
		return "not_pending_deletion"
	}
	k.versions[n-1].deletion = never
	return "ok"
}

// restore brings an expired version back, for good.
func (k *modelKey) restore(n, today int) string {
	switch {
	case n == 0:
		return "invalid_request"
	case n > len(k.versions):
		return "not_found"
	case k.deletion != never:
		return "pending_deletion"
	}
	v := &k.versions[n-1]
	switch s := k.recorded(n, today); s {
	case "expired":
	case "rotating":
		return "not_primary"
	default:
		return s
	}
	if k.effective(n, today) == "destroyed" {
		return "destroyed"
	}
	v.state, v.life, v.deletion = "deprecated", never, never
	return "ok"
}

// event is something that is asked of one key.
type event struct {
	op      string
	version int // 0: the whole key
	days    int
	replace bool
}

// do answers an event and changes the model if it is "ok".
func (k *modelKey) do(e event, today int) string {
	switch e.op {
	case "encrypt":
		return k.protect(e.version, today)
	case "decrypt":
		return k.process(e.version, today)
	case "rotate":
		return k.rotate(e.version, today)
	case "deprecate":
		return k.deprecate(e.version, today)
	case "compromise":
		return k.compromise(e.version, e.replace, today)
	case "disable":
		return k.disable(e.days, today)
	case "enable":
		return k.enable()
	case "update":
		return k.update()
	case "restore":
		return k.restore(e.version, today)
	case "schedule":
		return k.schedule(e.version, e.days, today)
	case "cancel":
		return k.cancel(e.version, today)
	}
	panic("no event " + e.op)
}

// state is the primary's, as the key document shows it.
func (k *modelKey) state(today int) string {
	switch {
	case k.primary != 0:
		return k.effective(k.primary, today)
	case k.through == len(k.versions):
		return "compromised"
	}
	return ""
}

// next is the next day on which a deadline is reached; 0 when none stands.
func (k *modelKey) next(today int) int {
	next := never
	at := func(day int) {
		if day > today && (next == never || day < next) {
			next = day
		}
	}
	at(k.deletion)
	if k.status(today) == "disabled" {
		at(k.until)
	}
	for i, v := range k.versions {
		switch k.effective(i+1, today) {
		case "active":
			at(v.expires)
		case "rotating":
			at(v.grace)
		case "deprecated":
			at(v.life)
		case "expired", "compromised":
			at(v.deletion)
		}
	}
	return next
}

func (k *modelKey) clone() *modelKey {
	c := *k
	c.versions = append([]modelVersion(nil), k.versions...)
	return &c
}
