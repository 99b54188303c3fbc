package gate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

// withFaults makes a World over a store that fails where the test wants it to.
func withFaults(t testing.TB) (*gatetest.World, *storetest.Faulty) {
	faulty := storetest.NewFaulty(memory.New(1))
	return gatetest.New(t, func(cfg *haven.Config) { cfg.Store = faulty }), faulty
}

type failing struct {
	written bool
	err     error
}

// waysToFail are what the next commits do. The gate repeats an uncertain one twice.
var waysToFail = map[string][]failing{
	"lost on the way there":            {{false, store.ErrUncertain}},
	"lost on the way back":             {{true, store.ErrUncertain}},
	"never arrives":                    {{false, store.ErrUncertain}, {false, store.ErrUncertain}, {false, store.ErrUncertain}},
	"arrives and is never answered":    {{true, store.ErrUncertain}, {true, store.ErrUncertain}, {true, store.ErrUncertain}},
	"arrives at last and unanswered":   {{false, store.ErrUncertain}, {false, store.ErrUncertain}, {true, store.ErrUncertain}},
	"unavailable":                      {{false, store.ErrUnavailable}},
	"no space":                         {{false, store.ErrNoSpace}},
	"arrives, then unavailable":        {{true, store.ErrUncertain}, {false, store.ErrUnavailable}},
	"arrives, then no space":           {{true, store.ErrUncertain}, {false, store.ErrNoSpace}},
	"lost, then unavailable":           {{false, store.ErrUncertain}, {false, store.ErrUnavailable}},
	"lost twice, arrives, unavailable": {{false, store.ErrUncertain}, {true, store.ErrUncertain}, {false, store.ErrUnavailable}},
}

// attempt is an operation that a fault hits: what comes before it, and what it leaves.
type attempt struct {
	name   string
	before func(*race)
	op     string
	// done tells from outside whether it had its effect; nil where it has none.
	done func(*race) bool
}

func (r *race) describe() *keys.Key {
	r.Helper()
	k, err := r.KeyManager().DescribeKey(background, r.keys[0])
	if err != nil {
		r.Fatal(err)
	}
	return k
}

// must does an operation on the first key.
func (r *race) must(op string) {
	r.Helper()
	if _, answer := r.do(0, asked{0, op}); answer != "ok" {
		r.Fatalf("%s: %s", op, answer)
	}
}

var attempts = []attempt{
	{name: "encrypt", op: "encrypt"},
	{name: "rotate", op: "rotate", done: func(r *race) bool { return r.describe().Version == 2 }},
	{name: "disable", op: "disable", done: func(r *race) bool { return !r.describe().Enabled }},
	{name: "enable", op: "enable", before: func(r *race) { r.must("disable") }, done: func(r *race) bool { return r.describe().Enabled }},
	{name: "compromise", op: "compromise", done: func(r *race) bool { return r.describe().Version == 2 }},
	{name: "create", op: "create", done: func(r *race) bool {
		page, err := r.KeyManager().ListKeys(background, keys.ListRequest{Type: keys.Data})
		return err == nil && len(page.Keys) == 2
	}},
}

// TestFaultAtEachCommit lets the commit of each kind of operation fail in each way. What was
// acknowledged is recorded once, what was not at most once; the effect is there exactly if the
// record is; the gate goes on, the store is whole, and a restart sees the same.
func TestFaultAtEachCommit(t *testing.T) {
	for way, faults := range waysToFail {
		for _, a := range attempts {
			t.Run(way+"/"+a.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // which demands that no goroutine is left
					w, faulty := withFaults(t)
					r := newRace(w, 1)
					if a.before != nil {
						a.before(r)
					}
					for i, f := range faults {
						faulty.FailCommit(i+1, f.written, f.err)
					}
					from := w.Position()
					request, answer := r.do(0, asked{0, a.op})
					r.settled(a, from, request, answer)
					w.Reopen()
					r.settled(a, from, request, answer)
				})
			})
		}
	}
}

// settled checks what is left of the attempt.
func (r *race) settled(a attempt, from uint64, request gate.ID, answer string) {
	r.Helper()
	recorded := 0
	for _, e := range r.Records(from) {
		if e.Request == request {
			recorded++
		}
	}
	if answer != "ok" && answer != "unknown" || recorded > 1 || answer == "ok" && recorded != 1 {
		r.Errorf("answered %s and recorded %d times", answer, recorded)
	}
	if a.done != nil {
		if done := a.done(r); done != (recorded == 1) {
			r.Errorf("answered %s, recorded %d times, done %v", answer, recorded, done)
		}
	}
	r.Fsck()
}

// TestFailClosed: while the store does not answer, nothing passes, not even what is cached.
func TestFailClosed(t *testing.T) {
	w, faulty := withFaults(t)
	r := newRace(w, 1)
	from := w.Position()
	faulty.FailReads(store.ErrUnavailable)
	for _, op := range []string{"encrypt", "decrypt", "disable", "create"} {
		if _, answer := r.do(0, asked{0, op}); answer != "unknown" {
			t.Errorf("%s was answered %s by a gate without a store", op, answer)
		}
	}
	if refused := w.Gate().Counters().Refused; refused != 4 {
		t.Errorf("%d refusals were counted, want 4", refused)
	}
	faulty.FailReads(nil)
	if w.Position() != from {
		t.Error("something was recorded")
	}
	r.must("encrypt")
}

// TestStorageFailed: a store that failed for good stops everything and says so, once at least.
func TestStorageFailed(t *testing.T) {
	faulty := storetest.NewFaulty(memory.New(1))
	told := make(chan error, 10)
	w := gatetest.New(t, func(cfg *haven.Config) {
		cfg.Store, cfg.Failed = faulty, func(err error) { told <- err }
	})
	w.Damaged = true // nothing can be checked any more
	r := newRace(w, 1)
	faulty.FailCommit(1, false, store.ErrFailed)
	faulty.FailCommit(2, false, store.ErrFailed)
	_, err := w.KeyManager().Encrypt(background, keys.EncryptRequest{Key: r.keys[0], Plaintext: []byte("x")})
	if !errors.Is(err, gate.Unavailable) || !strings.Contains(fmt.Sprint(err), "stops") {
		t.Errorf("answered %v", err)
	}
	if err := <-told; !errors.Is(err, store.ErrFailed) {
		t.Errorf("told of %v", err)
	}
}

// TestReadThatFailed: a read that fails for good stops everything and says so, too. Calls that no
// record can tell of because their reading failed are counted, and told of when the store is back.
func TestReadThatFailed(t *testing.T) {
	for _, failure := range []error{store.ErrFailed, store.ErrUnavailable} {
		faulty := storetest.NewFaulty(memory.New(1))
		told := make(chan error, 10)
		w := gatetest.New(t, func(cfg *haven.Config) {
			cfg.Store, cfg.Failed = faulty, func(err error) { told <- err }
		})
		_, unread := w.Principal("clerk", false)
		from, refused := w.Position(), w.Gate().Counters().Refused
		faulty.FailReads(fmt.Errorf("%w: EIO", failure))
		for range 3 {
			_, err := w.KeyManager().DescribeKey(background, "01890a5d-ac96-774b-bcce-b302099a8057")
			if !errors.Is(err, gate.Unavailable) {
				t.Errorf("answered %v", err)
			}
		}
		if _, err := w.Gate().Begin(background, gate.Encrypt, gate.Proof{Bearer: unread}); !errors.Is(err, gate.Unavailable) {
			t.Errorf("answered %v", err)
		}
		if n := w.Gate().Counters().Refused - refused; n != 4 {
			t.Errorf("%d of 4 refusals were counted", n)
		}
		if stops := len(told) == 4 && errors.Is(<-told, store.ErrFailed); stops != (failure == store.ErrFailed) {
			t.Errorf("%v: told %d times", failure, len(told))
		}
		faulty.FailReads(nil)
		behind(w)
		if r := w.Records(from); len(r) != 2 || r[0].Operation != gate.Unanswered.Number || r[0].Parameters != "count=4" {
			t.Errorf("the journal goes on with %+v", r)
		}
	}
}
