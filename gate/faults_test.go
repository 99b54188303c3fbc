package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/journal"
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

// TestUncertainIsCountedOnce: what the journal tells of operations that were not answered is what it
// has no other record of. A batch whose outcome was not known, and which was written, holds its
// operations' records, and tells of those before it.
func TestUncertainIsCountedOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		written bool
		want    []string
	}{
		{"written", true, []string{"unanswered count=2", "encrypt ", "describe-key "}},
		{"not written", false, []string{"unanswered count=3", "describe-key "}},
	} {
		w, faulty := withFaults(t)
		r := newRace(w, 1)
		from := w.Position()
		for n := range 2 {
			faulty.FailCommit(n+1, false, store.ErrUnavailable)
		}
		for n := range 3 {
			faulty.FailCommit(n+3, test.written, store.ErrUncertain)
		}
		for range 3 {
			if _, answer := r.do(0, asked{0, "encrypt"}); answer != "unknown" {
				t.Errorf("%s: answered %s", test.name, answer)
			}
		}
		counted := w.Gate().Counters().Records
		r.describe()
		var got []string
		for _, e := range w.Records(from) {
			got = append(got, named(e.Operation)+" "+e.Parameters)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: the journal goes on with %q, want %q", test.name, got, test.want)
		}
		if n := w.Gate().Counters().Records - counted; n != uint64(len(test.want)) {
			t.Errorf("%s: %d records were counted", test.name, n)
		}
	}
}

func named(number uint16) string {
	for _, op := range gate.Operations() {
		if op.Number == number {
			return op.Name
		}
	}
	return ""
}

// TestTooLargeForOneRecord: an operation whose changes one record cannot tell of does nothing, and
// the record of its failure is there before its answer is. What is in its batch goes on.
func TestTooLargeForOneRecord(t *testing.T) {
	w := gatetest.New(t)
	var changes []gate.Change
	for n := range 200 { // of some 33 bytes each, in a record
		changes = append(changes, gate.Change{Ref: store.Ref{Kind: store.KindSetting, ID: fmt.Sprintf("test %d", n)}, Body: []byte("x")})
	}
	from, c, other := w.Position(), w.Begin(gatetest.Staging), w.Begin(gatetest.Staging)
	work := []gate.Work{
		{Call: c, Do: func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{Changes: changes}, nil }},
		{Call: other, Do: func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{Changes: changes[:1]}, nil }},
	}
	errs := w.Gate().DoAll(background, work)
	if !errors.Is(errs[0], gate.LimitExceeded) || errs[1] != nil {
		t.Errorf("answered %v", errs)
	}
	r := w.Records(from)
	if len(r) != 2 || r[0].Request != c.Request() || r[0].Outcome != journal.Failed || r[0].Error != uint16(gate.LimitExceeded) ||
		len(r[0].Changes) != 0 || r[1].Request != other.Request() || r[1].Outcome != journal.Allowed {
		t.Errorf("%d records, the first %s with error %d", len(r), r[0].Outcome, r[0].Error)
	}
	err := w.Gate().Do(background, w.Begin(gatetest.Staging), gate.Request{}, work[0].Do)
	if !errors.Is(err, gate.LimitExceeded) || len(w.Records(from)) != 3 || len(w.Items(store.KindSetting)) != 2 { // and the rotation schedule
		t.Errorf("answered %v, %d records, %d items", err, len(w.Records(from)), len(w.Items(store.KindSetting)))
	}
}
