package gate_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
)

// Each authenticated call leaves exactly one record, whatever becomes of it.

// one demands exactly one record since from that is not of a batch's item, and items that are.
func (f *fixture) one(from uint64, items int) gatetest.Entry {
	f.Helper()
	var own []gatetest.Entry
	of := 0
	for _, e := range f.Records(from) {
		switch {
		case e.Operation == gatetest.Staging.Number: // the other node's
		case e.Flags&journal.BatchItem != 0:
			of++
		default:
			own = append(own, e)
		}
	}
	if len(own) != 1 || of != items {
		f.Fatalf("%d records and %d of items, want 1 and %d: %+v", len(own), of, items, own)
	}
	return own[0]
}

// is compares a record with what it must say.
func (f *fixture) is(e gatetest.Entry, c *gate.Call, outcome journal.Outcome, code gate.Code, n names) {
	f.Helper()
	if got := namesOf(e); e.Operation != c.Operation().Number || e.Outcome != outcome || e.Error != uint16(code) || got != n ||
		gate.ID(e.Request) != c.Request() || gate.ID(e.Principal) != c.Principal().ID {
		f.Errorf("%s: %+v, want %s, %s, %+v", c.Operation().Name, e.Record, outcome, code, n)
	}
	if denied := outcome == journal.Denied; denied != (gate.ID(e.Decision) == c.Request()) {
		f.Errorf("decision %x of %s", e.Decision, outcome)
	}
}

func namesOf(e gatetest.Entry) names { return names{e.Key, e.Version, e.Wrapping, e.WrappingVer} }

// made returns the newest key: what create-key made.
func (f *fixture) made() gate.ID {
	f.Helper()
	page, err := f.KeyManager().ListKeys(background, keys.ListRequest{Limit: 1})
	f.must(err)
	id, _ := gate.ParseID(page.Keys[0].ID)
	return id
}

func TestRecordOfSuccess(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, r row) {
		f.Clock.Advance(2e6) // what is made now is the newest
		from, c := f.Position(), f.Begin(op)
		f.must(r.run(f, c, false))
		e := f.one(from, r.items)
		f.is(e, c, journal.Allowed, 0, r.names(f, f.made()))
		if name := e.Personal[journal.PrincipalName]; name != haven.DefaultAdministrator {
			f.Errorf("the principal's name stands as %q", name)
		}
	})
}

func TestRecordOfDenial(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, r row) {
		from := f.Position()
		c, err := f.Gate().Begin(background, op, gate.Proof{Local: f.clerk})
		f.must(err)
		err = r.run(f, c, false)
		if op.Permission == "" { // of a batch the items are denied, each by itself
			f.must(err)
			f.is(f.one(from, r.items), c, journal.Allowed, 0, names{})
			return
		}
		if !errors.Is(err, gate.AccessDenied) {
			f.Fatalf("a clerk was answered %v", err)
		}
		e := f.one(from, 0)
		f.is(e, c, journal.Denied, gate.AccessDenied, namesOf(e))
	})
}

func TestRecordOfFailure(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, r row) {
		if r.fails == 0 {
			return
		}
		from, c := f.Position(), f.Begin(op)
		if err := r.run(f, c, true); !errors.Is(err, r.fails) {
			f.Fatalf("answered %v, want %s", err, r.fails)
		}
		e := f.one(from, 0)
		f.is(e, c, journal.Failed, r.fails, namesOf(e))
	})
}

// TestRecordOfRefusal: what a surface could not read, and what was over a limit.
func TestRecordOfRefusal(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, _ row) {
		for _, code := range []gate.Code{gate.InvalidRequest, gate.TooLarge} {
			from, c := f.Position(), f.Begin(op)
			if err := f.Gate().Refuse(background, c, gate.Errorf(code, "not read")); !errors.Is(err, code) {
				f.Fatal(err)
			}
			f.is(f.one(from, 0), c, journal.Failed, code, names{})
		}
	})
}

// TestRecordOfRerun: what the operation used is touched by another node after its batch was closed.
// It runs again and leaves one record; a denial does likewise.
func TestRecordOfRerun(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, r row) {
		f.Clock.Advance(2e6)
		from, c, reruns := f.Position(), f.Begin(op), f.Gate().Counters().Reruns
		f.hook.times.Store(1)
		f.must(r.run(f, c, false))
		if f.Gate().Counters().Reruns == reruns {
			f.Error("it did not run again")
		}
		f.is(f.one(from, r.items), c, journal.Allowed, 0, r.names(f, f.made()))
	})
}

// TestRecordOfContention: it is touched again and again. Who takes a right away is not put off.
func TestRecordOfContention(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, r row) {
		if op == gate.Batch { // see TestBatchRecords
			return
		}
		from, c := f.Position(), f.Begin(op)
		f.hook.times.Store(2 * (1 + r.heads))
		err := r.run(f, c, false)
		e := f.one(from, 0)
		if op.Restricts {
			f.must(err)
			f.is(e, c, journal.Allowed, 0, r.names(f, gate.ID{}))
			return
		}
		if !errors.Is(err, gate.Contended) {
			f.Fatalf("answered %v", err)
		}
		f.is(e, c, journal.Failed, gate.Contended, names{})
	})
}

// TestRecordOfReplay: an answer repeated for an idempotency key is recorded, as that.
func TestRecordOfReplay(t *testing.T) {
	eachOperation(t, func(f *fixture, op *gate.Operation, r row) {
		if !op.Mutates {
			return
		}
		for i, want := range []journal.Flags{0, journal.Replay} {
			from, c := f.Position(), f.Begin(op)
			f.must(c.Idempotent("again", [32]byte{1}))
			if err := r.run(f, c, false); err != nil {
				f.Fatalf("call %d: %v", i+1, err)
			}
			e := f.one(from, 0)
			if e.Flags&journal.Replay != want || len(e.Changes) > 0 != (want == 0) {
				f.Errorf("call %d: flags %b, %d changes", i+1, e.Flags, len(e.Changes))
			}
			f.is(e, c, journal.Allowed, 0, namesOf(e))
		}
	})
}

func TestBatchRecords(t *testing.T) {
	f := newFixture(t)
	from, c := f.Position(), f.Begin(gate.Batch)
	f.hook.times.Store(1) // all of it runs again
	results, err := f.Manager().Batch(background, c, []keys.BatchItem{
		{Encrypt: &keys.EncryptRequest{Key: f.key, Plaintext: []byte("x")}},
		{Decrypt: &keys.DecryptRequest{Ciphertext: f.ciphertext}},
		{Decrypt: &keys.DecryptRequest{Ciphertext: []byte("x")}},
		{DataKey: &keys.DataKeyRequest{Key: absent}},
		{Err: gate.Errorf(gate.InvalidRequest, "not read")},
		{},
	})
	f.must(err)
	want := []struct {
		op   *gate.Operation
		code gate.Code
	}{
		{gate.Encrypt, 0}, {gate.Decrypt, 0}, {gate.Decrypt, gate.InvalidCiphertext},
		{gate.GenerateDataKey, gate.NotFound}, {gate.Batch, gate.InvalidRequest}, {gate.Batch, gate.InvalidRequest},
	}
	if own := f.one(from, len(want)); own.Operation != gate.Batch.Number || own.Parameters != "items=6" || own.Outcome != journal.Allowed {
		t.Errorf("the batch's own record is %+v", own.Record)
	}
	seen := map[uint16]bool{}
	for _, e := range f.Records(from) {
		if e.Flags&journal.BatchItem == 0 {
			continue
		}
		w := want[e.Item]
		if seen[e.Item] || e.Operation != w.op.Number || e.Error != uint16(w.code) || (e.Outcome == journal.Allowed) != (w.code == 0) ||
			gate.ID(e.Request) != c.Request() || gate.ID(e.Principal) != f.Admin {
			t.Errorf("item %d: %+v, want %s, %s", e.Item, e.Record, w.op.Name, w.code)
		}
		seen[e.Item] = true
	}
	for i, r := range results {
		if code := want[i].code; code == 0 && r.Err != nil || code != 0 && !errors.Is(r.Err, code) {
			t.Errorf("item %d: %v", i, r.Err)
		}
	}
}

// TestBatchOfRevokedCaller: the caller's credential is taken away while the batch is on its way.
// Nothing of it passes, and every item still leaves its record.
func TestBatchOfRevokedCaller(t *testing.T) {
	f := newFixture(t)
	f.Damaged = true // each node keeps the access set by itself
	changes, _, bearer := f.Person("second", true)
	f.Stage(changes...)
	f.hook.do = func() { f.elsewhere(gate.Change{Ref: changes[1].Ref, Delete: true}) }
	c, err := f.Gate().Begin(background, gate.Batch, gate.Proof{Bearer: bearer})
	f.must(err)
	from := f.Position()
	f.hook.times.Store(1)
	item := keys.BatchItem{Encrypt: &keys.EncryptRequest{Key: f.key, Plaintext: []byte("x")}}
	if _, err := f.Manager().Batch(background, c, []keys.BatchItem{item, item}); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("answered %v", err)
	}
	if e := f.one(from, 2); e.Outcome != journal.Denied || e.Error != uint16(gate.Unauthenticated) || gate.ID(e.Principal) != c.Principal().ID {
		t.Errorf("the record is %+v", e.Record)
	}
}

// TestRecordSize: an encryption with a context of 64 bytes takes at most 300 bytes.
func TestRecordSize(t *testing.T) {
	f := newFixture(t)
	empty, err := blob.ContextOf(map[string]string{"patient": ""})
	f.must(err)
	fits := journal.MaxContext - len(empty.Encoded())
	for value, hashed := range map[int]bool{1: false, fits: false, fits + 1: true, 4000: true} {
		ec, err := blob.ContextOf(map[string]string{"patient": strings.Repeat("x", value)})
		f.must(err)
		c, err := f.Gate().Begin(background, gate.Encrypt, gate.Proof{Local: f.Admin, Source: netip.MustParseAddr("2001:db8::1"), UserAgent: "haven-client/1.0"})
		f.must(err)
		from := f.Position()
		_, err = f.Manager().Encrypt(background, c, keys.EncryptRequest{Key: f.key, Plaintext: []byte("x"), Context: ec})
		f.must(err)
		e := f.one(from, 0)
		if len(e.Encoded) > 300 {
			t.Errorf("a context of %d bytes makes a record of %d", len(ec.Encoded()), len(e.Encoded))
		}
		if got := e.Flags&journal.ContextHashed != 0; got != hashed || !hashed && string(e.Context) != string(ec.Encoded()) {
			t.Errorf("a context of %d bytes stands as %x", len(ec.Encoded()), e.Context)
		}
		if len(e.Personal) != 3 {
			t.Errorf("personal values %v", e.Personal)
		}
	}
}
