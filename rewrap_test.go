package haven_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// family is a master key and keys that it wraps, with a ciphertext of each. It is made before
// re-wrapping can begin.
type family struct {
	*gatetest.World
	km       haven.KeyManager
	master   string
	id       gate.ID
	children []*keys.Key
	written  [][]byte
	release  func()
}

var background = context.Background()

func newFamily(t *testing.T, children int, configure ...func(*haven.Config)) *family {
	t.Helper()
	f := &family{World: gatetest.New(t, configure...)}
	f.begun()
	master, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "wraps", Type: keys.Master, RotationDays: keys.Never, LifetimeDays: 40})
	f.must(err)
	f.master = master.ID
	f.id, _ = gate.ParseID(master.ID)
	for range children {
		f.child()
	}
	return f
}

// begun takes what there is of a system that was opened, and holds its re-wrapping.
func (f *family) begun() {
	f.km = f.KeyManager()
	release := f.HoldRewrapping()
	var once sync.Once
	f.release = func() { once.Do(release) }
	f.Cleanup(f.release)
}

func (f *family) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *family) child() *keys.Key {
	f.Helper()
	k, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "is wrapped", Type: keys.Data, Master: f.master, RotationDays: keys.Never})
	f.must(err)
	out, err := f.km.Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte(k.ID)})
	f.must(err)
	f.children, f.written = append(f.children, k), append(f.written, out.Ciphertext)
	return k
}

// finish lets what is due be done.
func (f *family) finish() {
	f.Helper()
	f.release()
	f.must(f.Rewrap(background))
}

// page does one operation.
func (f *family) page(version uint32) (keys.Rewrapped, error) {
	f.Helper()
	return f.Manager().Rewrap(background, f.Begin(gate.Rewrap), f.id, version)
}

func (f *family) rotate()         { _, err := f.km.RotateKey(background, f.master); f.must(err) }
func (f *family) at(n int) string { return fmt.Sprintf("%s@%d", f.master, n) }

// compromise marks a version, or with 0 the whole master key; nothing replaces it.
func (f *family) compromise(n int) {
	f.Helper()
	req := keys.CompromiseRequest{Key: f.master, Reason: "a test"}
	if n > 0 {
		req.Key, req.NewPrimary = f.at(n), new(bool)
	}
	_, err := f.km.MarkCompromised(background, req)
	f.must(err)
}

func (f *family) decrypt(i int) error {
	out, err := f.km.Decrypt(background, keys.DecryptRequest{Ciphertext: f.written[i]})
	if err == nil && string(out.Plaintext) != f.children[i].ID {
		f.Errorf("child %d decrypted to something else", i)
	}
	return err
}

// wrappedBy checks that every version of every child is wrapped by a version of the master, and that
// every child decrypts.
func (f *family) wrappedBy(want string) {
	f.Helper()
	for i, k := range f.children {
		page, err := f.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: k.ID})
		f.must(err)
		for _, v := range page.Versions {
			if v.WrappedBy != want {
				f.Errorf("child %d version %d is wrapped by %s, want %s", i, v.Version, v.WrappedBy, want)
			}
		}
		if err := f.decrypt(i); err != nil {
			f.Errorf("child %d: %v", i, err)
		}
	}
}

// version returns what is shown of a version of the master.
func (f *family) version(n uint32) keys.Version {
	f.Helper()
	page, err := f.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: f.master})
	f.must(err)
	for _, v := range page.Versions {
		if v.Version == n {
			return v
		}
	}
	f.Fatalf("the master has no version %d", n)
	return keys.Version{}
}

func reason(err error) string {
	var e *gate.Error
	if errors.As(err, &e) {
		return e.Code.String() + " " + e.Reason
	}
	return fmt.Sprint(err)
}

// rewraps returns the records of the re-wrapping of a version of the master.
func (f *family) rewraps(version uint32) (out []gatetest.Entry) {
	for _, r := range f.Records(0) {
		if r.Operation == gate.Rewrap.Number && gate.ID(r.Key) == f.id && r.Version == version {
			out = append(out, r)
		}
	}
	return out
}

func TestRewrapAfterRotation(t *testing.T) {
	f := newFamily(t, 40)
	f.rotate()
	if shown, err := f.km.DescribeKey(background, f.master); err != nil || *shown.Wraps != (keys.Wraps{Count: 40}) || *shown.RewrapLeft != (keys.Wraps{Count: 40}) {
		t.Errorf("before: %+v, %v", shown, err)
	}
	f.wrappedBy(f.at(1))
	f.finish()
	f.wrappedBy(f.at(2))
	if shown, err := f.km.DescribeKey(background, f.master); err != nil || *shown.Wraps != (keys.Wraps{Count: 40}) || *shown.RewrapLeft != (keys.Wraps{}) {
		t.Errorf("after: %+v, %v", shown, err)
	}
	records, changes := f.rewraps(1), 0
	for _, r := range records {
		if r.Outcome != journal.Allowed || r.Flags != journal.System || gate.ID(r.Wrapping) != f.id || r.WrappingVer != 2 || gate.ID(r.Principal) != f.Admin {
			t.Errorf("recorded as %+v", r.Record)
		}
		changes += len(r.Changes)
	}
	if len(records) != 2 || changes != 41 { // the children, and the version that wraps none now
		t.Errorf("%d records with %d changes", len(records), changes)
	}
	before := f.Position()
	if f.finish(); f.Position() != before {
		t.Error("with nothing to do it left records")
	}
}

func TestRewrapByItself(t *testing.T) {
	f := newFamily(t, 3)
	f.rotate()
	f.release()
	for f.version(1).Wraps.Count > 0 {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	f.wrappedBy(f.at(2))
}

// TestRecovery: what a compromised version wraps stays usable, each use recorded as recovery, until
// another wraps it.
func TestRecovery(t *testing.T) {
	f := newFamily(t, 3)
	f.compromise(1)
	if _, err := f.km.Encrypt(background, keys.EncryptRequest{Key: f.at(1), Plaintext: []byte("x")}); reason(err) != "invalid_state compromised" {
		t.Errorf("direct use: %v", err)
	}
	last := func(op *gate.Operation) journal.Record {
		records := f.Records(0)
		for i := len(records) - 1; i >= 0; i-- {
			if records[i].Operation == op.Number {
				return records[i].Record
			}
		}
		t.Fatalf("no record of %s", op.Name)
		return journal.Record{}
	}
	f.must(f.decrypt(0))
	if r := last(gate.Decrypt); r.Flags&journal.Recovery == 0 || gate.ID(r.Wrapping) != f.id || r.WrappingVer != 1 {
		t.Errorf("a use before is recorded as %+v", r)
	}
	f.finish()
	if got := f.version(1).Wraps.Count; got != 3 {
		t.Errorf("without a primary %d are wrapped by the version, want 3", got)
	}
	f.rotate()
	f.finish()
	if r := last(gate.Rewrap); r.Flags != journal.Recovery|journal.System || r.WrappingVer != 2 {
		t.Errorf("re-wrapping is recorded as %+v", r)
	}
	f.wrappedBy(f.at(2))
	if r := last(gate.Decrypt); r.Flags&journal.Recovery != 0 {
		t.Errorf("a use after is recorded as %+v", r)
	}
}

func TestRewrapAfterWholeCompromise(t *testing.T) {
	f := newFamily(t, 2)
	f.rotate()
	f.child()
	f.compromise(0)
	f.finish()
	if err := f.decrypt(0); reason(err) != "invalid_state master_compromised" {
		t.Errorf("before the rotation: %v", err)
	}
	f.rotate()
	f.finish()
	f.wrappedBy(f.at(3))
	for version, records := range map[uint32]int{1: 1, 2: 1} {
		got := f.rewraps(version)
		if len(got) != records || got[0].Flags&journal.Recovery == 0 {
			t.Errorf("version %d: recorded as %+v", version, got)
		}
	}
}

func TestRewrapWaitsForItsMaster(t *testing.T) {
	for name, stop := range map[string]struct{ stop, lift func(f *family) }{
		"disabled": {
			func(f *family) { _, err := f.km.DisableKey(background, f.master); f.must(err) },
			func(*family) {},
		},
		"pending_deletion": {
			func(f *family) {
				_, err := f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: f.master, Days: 7})
				f.must(err)
			},
			func(f *family) { _, err := f.km.CancelKeyDeletion(background, f.master); f.must(err) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, 40)
			f.rotate()
			_, err := f.page(1)
			f.must(err)
			stop.stop(f)
			before := f.Position()
			if f.finish(); f.Position() != before {
				t.Error("it left records")
			}
			if got := f.version(1).Wraps.Count; got != 8 {
				t.Errorf("%d are left, want 8", got)
			}
			if _, err := f.page(1); reason(err) != "invalid_state "+name {
				t.Errorf("asked nevertheless: %v", err)
			}
			stop.lift(f)
			_, err = f.km.EnableKey(background, f.master)
			f.must(err)
			f.finish()
			f.wrappedBy(f.at(2))
		})
	}
}

// TestRewrapGoesOnAfterRestart: nothing but the index says how far it was, and no version counts as
// wrapping nothing before it does.
func TestRewrapGoesOnAfterRestart(t *testing.T) {
	f := newFamily(t, 40)
	f.rotate()
	page, err := f.page(1)
	if err != nil || page != (keys.Rewrapped{Versions: 32, More: true}) {
		t.Fatal(page, err)
	}
	if got := f.version(1).Wraps.Count; got != 8 {
		t.Errorf("%d are left, want 8", got)
	}
	if _, err := f.page(2); reason(err) != "invalid_state primary" {
		t.Errorf("the primary: %v", err)
	}
	f.release()
	f.Reopen()
	f.begun()
	f.finish()
	f.wrappedBy(f.at(2))
	if got := f.version(1).Wraps.Count; got != 0 {
		t.Errorf("%d are left", got)
	}
}

// meeting is a store that runs something once: between what an operation read and what it stages.
type meeting struct {
	store.Store
	mu   sync.Mutex
	kind store.Kind // of what is read then
	meet func()
}

func newMeeting(c *haven.Config) *meeting {
	m := &meeting{Store: c.Store}
	c.Store = m
	return m
}

// next runs f when an item of a kind was looked for the next time.
func (m *meeting) next(kind store.Kind, f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kind, m.meet = kind, f
}

func (m *meeting) met(kind store.Kind) {
	m.mu.Lock()
	meet := m.meet
	if kind == m.kind {
		m.meet = nil
	}
	m.mu.Unlock()
	if kind == m.kind && meet != nil {
		meet()
	}
}

// Get implements store.Store.
func (m *meeting) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := m.Store.Get(ctx, refs...)
	m.met(refs[0].Kind)
	return items, epoch, err
}

// List implements store.Store.
func (m *meeting) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := m.Store.List(ctx, q)
	m.met(q.Kind)
	return page, err
}

// TestCreationMeetsRotation: a creation that wrapped under a version which is not the primary any
// more, and wraps nothing by now, runs again.
func TestCreationMeetsRotation(t *testing.T) {
	var m *meeting
	f := newFamily(t, 1, func(c *haven.Config) { m = newMeeting(c) })
	met := false
	m.next(store.KindAlias, func() { // it looks whether its alias is free when it has wrapped
		met = true
		f.rotate()
		f.finish()
		if got := f.version(1).Wraps.Count; got != 0 {
			t.Errorf("%d are left", got)
		}
	})
	reruns := f.Gate().Counters().Reruns
	k, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "is wrapped", Type: keys.Data, Master: f.master, Alias: "alias/met"})
	if err != nil || !met || k.WrappedBy != f.at(2) {
		t.Errorf("%+v, %v, met %v", k, err, met)
	}
	if got := f.Gate().Counters().Reruns; got != reruns+1 {
		t.Errorf("%d operations ran again", got-reruns)
	}
	if got := f.version(1).Wraps.Count; got != 0 || f.version(2).Wraps.Count != 2 {
		t.Errorf("%d are left", got)
	}
	f.wrappedBy(f.at(2))
}

// TestRewrapMeetsRotationOfChild: neither takes the other's change away.
func TestRewrapMeetsRotationOfChild(t *testing.T) {
	var m *meeting
	f := newFamily(t, 3, func(c *haven.Config) { m = newMeeting(c) })
	f.rotate()
	met := false
	m.next(store.KindVersion, func() {
		met = true
		k, err := f.km.RotateKey(background, f.children[1].ID)
		if err != nil || k.WrappedBy != f.at(2) {
			t.Error(k, err)
		}
	})
	page, err := f.page(1)
	if err != nil || page != (keys.Rewrapped{Versions: 3}) || !met {
		t.Errorf("%+v, %v, met %v", page, err, met)
	}
	f.wrappedBy(f.at(2))
	versions, err := f.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: f.children[1].ID})
	if err != nil || len(versions.Versions) != 2 || versions.Versions[1].State != lifecycle.Rotating {
		t.Errorf("the child's versions: %+v, %v", versions, err)
	}
	f.release()
}

// TestRewrapBySeveral: each version is wrapped anew once, whoever comes first.
func TestRewrapBySeveral(t *testing.T) {
	f := newFamily(t, 150)
	f.rotate()
	var several sync.WaitGroup
	for range 4 {
		several.Go(func() {
			for {
				page, err := f.page(1)
				if errors.Is(err, gate.Contended) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				if !page.More {
					return
				}
			}
		})
	}
	several.Wait()
	f.wrappedBy(f.at(2))
	revisions := map[uint64]int{}
	for _, item := range f.Items(store.KindVersion) {
		if item.ID[:16] != string(f.id[:]) {
			revisions[item.Revision]++
		}
	}
	if revisions[2] != 150 || len(revisions) != 2 { // and the default master, as it was made
		t.Errorf("revisions of the children: %v", revisions)
	}
}

// TestStillWraps: a version that wraps neither expires nor is destroyed.
func TestStillWraps(t *testing.T) {
	f := newFamily(t, 2)
	f.rotate()
	f.Clock.Advance(100 * lifecycle.Day)
	if got := f.version(1).State; got != lifecycle.Deprecated {
		t.Errorf("beyond its lifetime it is %s", got)
	}
	f.must(f.decrypt(0))
	f.finish()
	if got := f.version(1).State; got != lifecycle.Expired {
		t.Errorf("wrapping nothing it is %s", got)
	}
	f.wrappedBy(f.at(2))

	f.begun()
	f.compromise(2)
	_, err := f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: f.at(2), Days: 7})
	f.must(err)
	f.Clock.Advance(8 * lifecycle.Day)
	if got := f.version(2).State; got != lifecycle.Compromised {
		t.Errorf("at its deletion date it is %s", got)
	}
	f.must(f.decrypt(0))
	f.rotate()
	f.finish()
	if got := f.version(2).State; got != lifecycle.Destroyed {
		t.Errorf("wrapping nothing it is %s", got)
	}
	f.wrappedBy(f.at(3))
}

// TestDeletionOfMaster: it stops what it wraps, is not destroyed while it wraps it, and can be kept.
func TestDeletionOfMaster(t *testing.T) {
	f := newFamily(t, 2)
	schedule := func() *keys.Key {
		k, err := f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: f.master, Days: 7})
		f.must(err)
		return k
	}
	if k := schedule(); *k.Wraps != (keys.Wraps{Count: 2}) {
		t.Errorf("the answer tells that it wraps %+v", k.Wraps)
	}
	f.Clock.Advance(30 * lifecycle.Day)
	if err := f.decrypt(0); reason(err) != "invalid_state master_pending_deletion" {
		t.Errorf("a child: %v", err)
	}
	if got := f.version(1).State; got != lifecycle.Active {
		t.Errorf("beyond its date, and wrapping, it is %s", got)
	}
	keep := func() error { _, err := f.km.CancelKeyDeletion(background, f.master); return err }
	f.must(keep())
	_, err := f.km.EnableKey(background, f.master)
	f.must(err)
	f.wrappedBy(f.at(1))
	for _, k := range f.children {
		_, err := f.km.UpdateKey(background, keys.UpdateRequest{Key: k.ID, Master: "alias/haven-master"})
		f.must(err)
	}
	if k := schedule(); *k.Wraps != (keys.Wraps{}) {
		t.Errorf("the answer tells that it wraps %+v", k.Wraps)
	}
	f.Clock.Advance(30 * lifecycle.Day)
	for i := range f.children {
		f.must(f.decrypt(i))
	}
	if err := keep(); reason(err) != "invalid_state destroyed" {
		t.Errorf("kept beyond its date: %v", err)
	}
}

// TestMove puts a key of many versions under another master.
func TestMove(t *testing.T) {
	f := newFamily(t, 2)
	k := f.children[0]
	for range 69 {
		_, err := f.km.RotateKey(background, k.ID)
		f.must(err)
	}
	other, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "wraps, too", Type: keys.Master, RotationDays: keys.Never})
	f.must(err)
	for name, req := range map[string]keys.UpdateRequest{
		"invalid_request ":       {Key: f.master, Master: other.ID},
		"not_found ":             {Key: k.ID, Master: "alias/nobody"},
		"invalid_state disabled": {Key: k.ID, Master: other.ID},
	} {
		if strings.HasSuffix(name, "disabled") {
			_, err := f.km.DisableKey(background, other.ID)
			f.must(err)
		}
		if _, err := f.km.UpdateKey(background, req); reason(err) != name {
			t.Errorf("%+v: %v, want %s", req, err, name)
		}
	}
	_, err = f.km.EnableKey(background, other.ID)
	f.must(err)
	before := f.Position()
	moved, err := f.km.UpdateKey(background, keys.UpdateRequest{Key: k.ID, Master: other.ID, RotationDays: 100})
	if err != nil || moved.WrappedBy != other.ID+"@1" || moved.RotationDays != 100 || moved.ExpiresAt.IsZero() {
		t.Fatalf("%+v, %v", moved, err)
	}
	var operations []uint16
	for _, r := range f.Records(before) {
		operations = append(operations, r.Operation)
		if gate.ID(r.Wrapping).String() != other.ID || gate.ID(r.Key).String() != k.ID {
			t.Errorf("recorded as %+v", r.Record)
		}
	}
	if want := []uint16{gate.UpdateKey.Number, gate.Rewrap.Number, gate.Rewrap.Number}; fmt.Sprint(operations) != fmt.Sprint(want) {
		t.Errorf("operations %v, want %v", operations, want)
	}
	f.must(f.decrypt(0))
	shown, err := f.km.DescribeKey(background, f.master)
	f.must(err)
	if *shown.Wraps != (keys.Wraps{Count: 1}) {
		t.Errorf("the old master wraps %+v", shown.Wraps)
	}
	if shown, err = f.km.DescribeKey(background, other.ID); err != nil || *shown.Wraps != (keys.Wraps{Count: 70}) {
		t.Errorf("the new master wraps %+v, %v", shown.Wraps, err)
	}
	f.compromise(1) // from where it was compromised it is taken as recovery
	before = f.Position()
	_, err = f.km.UpdateKey(background, keys.UpdateRequest{Key: f.children[1].ID, Master: other.ID})
	f.must(err)
	if r := f.Records(before)[0]; r.Flags != journal.Recovery {
		t.Errorf("recorded as %+v", r.Record)
	}
	_, err = f.km.DisableKey(background, other.ID)
	f.must(err)
	if _, err := f.km.UpdateKey(background, keys.UpdateRequest{Key: k.ID, Master: "alias/haven-master"}); reason(err) != "invalid_state master_disabled" {
		t.Errorf("from a master that is disabled: %v", err)
	}
}
