package keys_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// deadline is a right that time ends, or gives back, with no scheduler running.
type deadline struct {
	name string
	// set makes a key that the deadline concerns and returns its moment and whose it is: the
	// version's, or the key's for 0.
	set func(r *rig, k *realKey) (moment time.Time, version uint32)
	// ask is what the deadline decides: before its moment, and from it on.
	ask           func(r *rig, k *realKey) string
	before, after string
	// records are the operations of their own that the answer after the moment is preceded by.
	records []*gate.Operation
}

func encrypting(version int) func(*rig, *realKey) string {
	return func(r *rig, k *realKey) string {
		out, err := r.km.Encrypt(background, keys.EncryptRequest{Key: named(k.id, version), Plaintext: []byte("new")})
		if err != nil {
			return answer(err)
		}
		return fmt.Sprintf("version %d", out.Version)
	}
}

func asking(e event) func(*rig, *realKey) string {
	return func(r *rig, k *realKey) string { return answer(r.do(k, e)) }
}

// firstVersion shows version 1.
func (r *rig) firstVersion(k *realKey) keys.Version {
	r.Helper()
	page, err := r.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: k.id})
	if err != nil {
		r.Fatal(err)
	}
	return page.Versions[len(page.Versions)-1]
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// disable stops a key for three hours.
func (r *rig) disable(key string) time.Time {
	r.Helper()
	doc, err := r.km.DisableKeyFor(background, key, 3*time.Hour)
	r.must(err)
	return doc.DisabledUntil
}

func deadlines() []deadline {
	return []deadline{
		{
			name: "grace", before: "version 1", after: "deprecated", ask: encrypting(1),
			set: func(r *rig, k *realKey) (time.Time, uint32) {
				r.must(r.do(k, event{op: "rotate"}))
				return r.firstVersion(k).GraceEndsAt, 1
			},
		}, {
			name: "cryptoperiod", before: "version 1", after: "version 2", ask: encrypting(0), records: []*gate.Operation{gate.RotateBeforeUse},
			set: func(r *rig, k *realKey) (time.Time, uint32) { return r.firstVersion(k).ExpiresAt, 1 },
		}, {
			name: "cryptoperiod, processing", before: "ok", after: "ok", ask: asking(event{op: "decrypt", version: 1}),
			set: func(r *rig, k *realKey) (time.Time, uint32) { return r.firstVersion(k).ExpiresAt, 1 },
		}, {
			name: "lifetime", before: "ok", after: "expired", ask: asking(event{op: "decrypt", version: 1}), set: outliving,
		}, {
			name: "lifetime, restoring", before: "deprecated", after: "ok", ask: asking(event{op: "restore", version: 1}), set: outliving,
		}, {
			name: "deletion of a key", before: "ok", after: "destroyed", ask: asking(event{op: "cancel"}),
			set: func(r *rig, k *realKey) (time.Time, uint32) {
				doc, err := r.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: k.id, Days: 7})
				r.must(err)
				return doc.DeletionDate, 0
			},
		}, {
			name: "deletion of a version", before: "ok", after: "destroyed", ask: asking(event{op: "cancel", version: 1}),
			set: func(r *rig, k *realKey) (time.Time, uint32) {
				r.must(r.do(k, event{op: "compromise", version: 1, replace: true}))
				r.must(r.do(k, event{op: "schedule", version: 1, days: 7}))
				return r.firstVersion(k).DeletionDate, 1
			},
		}, {
			name: "suspension", before: "disabled", after: "ok", ask: asking(event{op: "decrypt", version: 1}), records: []*gate.Operation{gate.Resume},
			set: func(r *rig, k *realKey) (time.Time, uint32) { return r.disable(k.id), 0 },
		}, {
			name: "suspension, rotating", before: "disabled", after: "ok", ask: asking(event{op: "rotate"}), records: []*gate.Operation{gate.Resume},
			set: func(r *rig, k *realKey) (time.Time, uint32) { return r.disable(k.id), 0 },
		}, {
			name: "suspension, replacing what is compromised", before: "disabled", after: "version 2", records: []*gate.Operation{gate.Resume},
			set: func(r *rig, k *realKey) (time.Time, uint32) { return r.disable(k.id), 0 },
			ask: func(r *rig, k *realKey) string {
				r.must(r.do(k, event{op: "compromise", version: 1, replace: true}))
				return encrypting(0)(r, k)
			},
		}, {
			name: "suspension, then cryptoperiod", before: "disabled", after: "version 2", ask: encrypting(0),
			records: []*gate.Operation{gate.Resume, gate.RotateBeforeUse},
			set: func(r *rig, k *realKey) (time.Time, uint32) {
				r.Clock.Advance(r.firstVersion(k).ExpiresAt.Sub(r.Clock.Wall()) - time.Hour)
				return r.disable(k.id), 0
			},
		},
	}
}

// outliving is a version that is deprecated until the end of its life.
func outliving(r *rig, k *realKey) (time.Time, uint32) {
	r.must(r.do(k, event{op: "rotate"}))
	r.must(r.do(k, event{op: "deprecate", version: 1}))
	return r.firstVersion(k).LifetimeEndsAt, 1
}

// between is what happens between a deadline's being set and its moment.
var between = []struct {
	name  string
	do    func(r *rig)
	alarm bool
}{
	{"steady", func(*rig) {}, false},
	{"wall clock a year ahead", func(r *rig) { r.Clock.Step(365 * lifecycle.Day) }, true},
	{"wall clock a year behind", func(r *rig) { r.Clock.Step(-365 * lifecycle.Day) }, true},
	{"restart", func(r *rig) { r.Reopen(); r.km = r.KeyManager() }, false},
}

// TestDeadlines: each ends its right at its very moment and not a nanosecond before, by the gate's
// clock, whatever the wall clock says and whether or not the server was restarted; and who looks for
// what is due finds it.
func TestDeadlines(t *testing.T) {
	for _, d := range deadlines() {
		for _, way := range between {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/after %v", d.name, way.name, after), func(t *testing.T) {
					t.Parallel()
					d.try(newRig(gatetest.New(t)), way.do, after)
				})
			}
		}
	}
}

func (d *deadline) try(r *rig, meanwhile func(*rig), after bool) {
	r.Clock.Advance(123_456_789) // no deadline is a whole second but a suspension's
	k := r.create(&modelKey{rotation: 20, graceDays: 5, lifetime: 40, master: masterModel()}, "")
	moment, version := d.set(r, k)
	left := moment.Sub(r.Clock.Wall())
	r.Clock.Advance(left / 2)
	meanwhile(r)
	left -= left / 2
	if !after {
		left--
	}
	r.Clock.Advance(left)
	from := r.Position()
	want := d.before
	if after {
		want = d.after
	}
	if due := r.due(k, version, moment); after && !due {
		r.Errorf("nobody who looks for what is due finds it")
	} else if r.due(k, version, moment.Add(-2*time.Millisecond)) {
		r.Errorf("it is due too early")
	}
	if got := d.ask(r, k); got != want {
		r.Errorf("%s, want %s", got, want)
	}
	var own []string
	for _, e := range r.Records(from) {
		if op := e.Operation; op == gate.RotateBeforeUse.Number || op == gate.Resume.Number {
			own = append(own, fmt.Sprint(op))
		}
	}
	var expected []string
	for _, op := range d.records {
		if after {
			expected = append(expected, fmt.Sprint(op.Number))
		}
	}
	if strings.Join(own, " ") != strings.Join(expected, " ") {
		r.Errorf("own operations recorded: %v, want %v", own, expected)
	}
}

// due tells whether a search for what is due at a moment finds the key, or a version of it.
func (r *rig) due(k *realKey, version uint32, at time.Time) bool {
	r.Helper()
	id, _ := gate.ParseID(k.id)
	want := string(id[:])
	if version != 0 {
		want += string([]byte{0, 0, 0, byte(version)})
	}
	page, err := r.Store.Due(background, store.DueQuery{Before: at.Add(time.Millisecond).UnixMilli(), Limit: 1000})
	r.must(err)
	for _, item := range page.Items {
		if item.ID == want {
			return true
		}
	}
	return false
}

// TestSuspensionAndAcceptedClock: what leaves the monotonic clock raises an alarm, and an operator who accepts the wall
// clock makes what is over by it be over.
func TestSuspensionAndAcceptedClock(t *testing.T) {
	r := newRig(gatetest.New(t))
	k := r.create(&modelKey{graceDays: 30, master: masterModel()}, "")
	r.disable(k.id)
	r.Clock.Step(4 * time.Hour)
	if got := asking(event{op: "decrypt", version: 1})(r, k); got != "disabled" || !r.Gate().View().Time().Alarm() {
		t.Errorf("a clock that jumped ended it: %s", got)
	}
	r.must(r.km.AcceptClock(background, false))
	if got := asking(event{op: "decrypt", version: 1})(r, k); got != "ok" {
		t.Errorf("by the accepted clock: %s", got)
	}
}

// TestSuspendedMaster: what a key disabled for a time wraps stops with it and comes back with it.
func TestSuspendedMaster(t *testing.T) {
	r := newRig(gatetest.New(t))
	m := masterModel()
	master := r.create(m, "")
	k := r.create(&modelKey{graceDays: 30, master: m}, master.id)
	until := r.disable(master.id)
	r.Clock.Advance(until.Sub(r.Clock.Wall()) - 1)
	if got := asking(event{op: "decrypt", version: 1})(r, k); got != "master_disabled" {
		t.Errorf("before: %s", got)
	}
	r.Clock.Advance(1)
	from := r.Position()
	for _, op := range []string{"decrypt", "encrypt", "rotate"} {
		e := event{op: op}
		if op == "decrypt" {
			e.version = 1
		}
		if got := asking(e)(r, k); got != "ok" {
			t.Errorf("%s after: %s", op, got)
		}
	}
	if got := r.count(from, gate.Resume); got != 1 {
		t.Errorf("%d records of the master's coming back", got)
	}
}

func (r *rig) count(from uint64, op *gate.Operation) (n int) {
	r.Helper()
	for _, e := range r.Records(from) {
		if e.Operation == op.Number {
			n++
		}
	}
	return n
}

// TestAdvancedOnce: however many uses meet a deadline at once, what it brings is made and recorded
// once, and none of them fails; after a restart in between, too. Where several deadlines come
// together, a use whose ground moved twice is told so, and passes when it is asked again.
func TestAdvancedOnce(t *testing.T) {
	for _, test := range []struct {
		name              string
		rotation          int
		disabled, master  bool
		rotations, resume int
		version           string
	}{
		{"cryptoperiod", 20, false, false, 1, 0, "version 2"},
		{"suspension", never, true, false, 0, 1, "version 1"},
		{"both, of the key and of its master", 20, true, true, 2, 2, "version 2"},
	} {
		for _, way := range between {
			t.Run(test.name+"/"+way.name, func(t *testing.T) {
				r := newRig(gatetest.New(t))
				m := &modelKey{graceDays: 30}
				if test.master {
					m.rotation = test.rotation
				}
				m.make(1)
				master := r.create(m, "")
				k := r.create(&modelKey{rotation: test.rotation, graceDays: 30, master: m}, master.id)
				r.Clock.Advance(20*lifecycle.Day - time.Hour)
				if test.disabled {
					r.disable(k.id)
				}
				if test.master {
					r.disable(master.id)
				}
				way.do(r)
				r.Clock.Advance(4 * time.Hour)
				from := r.Position()
				r.atOnce(k, test.version, test.master)
				for op, want := range map[*gate.Operation]int{gate.RotateBeforeUse: test.rotations, gate.Resume: test.resume} {
					if got := r.count(from, op); got != want {
						t.Errorf("%d records of %s, want %d", got, op.Name, want)
					}
				}
			})
		}
	}
}

// atOnce encrypts and decrypts with many callers at once.
func (r *rig) atOnce(k *realKey, version string, again bool) {
	var wg sync.WaitGroup
	use := func(ask func(*rig, *realKey) string, want string) {
		got := ask(r, k)
		for again && got == gate.Contended.String() {
			got = ask(r, k)
		}
		if got != want {
			r.Errorf("%s, want %s", got, want)
		}
	}
	for range 48 {
		wg.Go(func() { use(encrypting(0), version) })
		wg.Go(func() { use(asking(event{op: "decrypt", version: 1}), "ok") })
	}
	wg.Wait()
}
