package gate_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// forged is a store that someone else writes to: what it shows is not all that Haven wrote.
type forged struct {
	*memory.Store
	instead map[store.Ref]*store.Item // nil: deleted
	head    func(store.Head) store.Head
}

func (f *forged) seen(item store.Item) (store.Item, bool) {
	if other, forged := f.instead[item.Ref]; forged {
		if other == nil {
			return store.Item{Ref: item.Ref}, false
		}
		return *other, true
	}
	return item, item.Revision > 0
}

func (f *forged) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := f.Store.Get(ctx, refs...)
	for i := range items {
		items[i], _ = f.seen(items[i])
	}
	return items, epoch, err
}

func (f *forged) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := f.Store.List(ctx, q)
	var items []store.Item
	for _, item := range page.Items {
		if seen, there := f.seen(item); there {
			items = append(items, seen)
		}
	}
	for ref, item := range f.instead { // inserted
		was, _, _ := f.Store.Get(ctx, ref)
		if item != nil && was[0].Revision == 0 && ref.Kind == q.Kind && ref.ID > q.After && strings.HasPrefix(ref.ID, q.Prefix) {
			items = append(items, *item)
		}
	}
	slices.SortFunc(items, func(a, b store.Item) int { return strings.Compare(a.ID, b.ID) })
	page.Items = items
	return page, err
}

// Head implements store.Store.
func (f *forged) Head(ctx context.Context) (store.Head, error) {
	head, err := f.Store.Head(ctx)
	if f.head != nil {
		head = f.head(head)
	}
	return head, err
}

// attacked is a World whose store is forged, with one key.
type attacked struct {
	*gatetest.World
	store      *forged
	key        string
	id         gate.ID
	ciphertext []byte
}

func newAttacked(t *testing.T) *attacked {
	a := &attacked{store: &forged{Store: memory.New(1), instead: map[store.Ref]*store.Item{}}}
	a.World = gatetest.New(t, func(cfg *haven.Config) { cfg.Store = a.store })
	a.Damaged = true
	k, err := a.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data, Alias: "alias/x"})
	a.must(err)
	a.key = k.ID
	a.id, _ = gate.ParseID(k.ID)
	c, err := a.KeyManager().Encrypt(background, keys.EncryptRequest{Key: a.key, Plaintext: []byte("x")})
	a.must(err)
	a.ciphertext = c.Ciphertext
	return a
}

func (a *attacked) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *attacked) keyRef() store.Ref { return store.Ref{Kind: store.KindKey, ID: string(a.id[:])} }

func (a *attacked) versionRef(n uint32) store.Ref {
	return store.Ref{Kind: store.KindVersion, ID: string(binary.BigEndian.AppendUint32(a.id[:], n))}
}

// item returns an item as Haven wrote it.
func (a *attacked) item(ref store.Ref) store.Item {
	a.Helper()
	items, _, err := a.store.Store.Get(background, ref)
	a.must(err)
	if items[0].Revision == 0 {
		a.Fatalf("there is no %s", ref)
	}
	return items[0]
}

func (a *attacked) decrypt() error {
	_, err := a.KeyManager().Decrypt(background, keys.DecryptRequest{Ciphertext: a.ciphertext})
	return err
}

// findings returns what a check of the store finds.
func (a *attacked) findings() string {
	a.Helper()
	report, err := a.Check(background, nil)
	a.must(err)
	var all []string
	for _, f := range report.Findings {
		all = append(all, f.String())
	}
	return strings.Join(all, "\n")
}

// TestItemEdited: an item with any one field changed is refused at first touch, and an alarm stands.
func TestItemEdited(t *testing.T) {
	edits := map[string]func(*store.Item){
		"body":        func(i *store.Item) { i.Body[len(i.Body)-1] ^= 1 },
		"body longer": func(i *store.Item) { i.Body = append(i.Body, ' ') },
		"revision":    func(i *store.Item) { i.Revision++ },
		"epoch":       func(i *store.Item) { i.Epoch.N++ },
		"incarnation": func(i *store.Item) { i.Epoch.Incarnation++ },
		"due":         func(i *store.Item) { i.Due ^= 1 },
		"index":       func(i *store.Item) { i.Index[3] = "x" },
		"index moved": func(i *store.Item) { i.Index[3], i.Index[0] = i.Index[0], i.Index[3] },
		"MAC":         func(i *store.Item) { i.MAC[0] ^= 1 },
	}
	a := newAttacked(t)
	for _, ref := range []store.Ref{a.keyRef(), a.versionRef(1)} {
		for what, edit := range edits {
			item := a.item(ref)
			edit(&item)
			a.store.instead[ref] = &item
			a.Reopen() // so that nothing is cached
			if err := a.decrypt(); !errors.Is(err, gate.Tampered) {
				t.Errorf("%s of the %s: answered %v", what, ref.Kind, err)
			}
			if a.Alarms().Tampered == 0 {
				t.Errorf("%s of the %s: no alarm", what, ref.Kind)
			}
			if a.findings() == "" {
				t.Errorf("%s of the %s: not found by a check", what, ref.Kind)
			}
			delete(a.store.instead, ref)
		}
	}
	a.Reopen()
	a.must(a.decrypt())
}

// TestItemMoved: an item put in the place of another, of the same or of another store, is refused.
func TestItemMoved(t *testing.T) {
	a, b := newAttacked(t), newAttacked(t)
	other, err := a.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "y", Type: keys.Data})
	a.must(err)
	otherID, _ := gate.ParseID(other.ID)
	for what, item := range map[string]store.Item{
		"another key":   a.item(store.Ref{Kind: store.KindKey, ID: string(otherID[:])}),
		"another store": b.item(b.keyRef()),
		"another kind":  a.item(a.versionRef(1)),
	} {
		item.Ref = a.keyRef()
		a.store.instead[a.keyRef()] = &item
		a.Reopen()
		if _, err := a.KeyManager().DescribeKey(background, a.key); !errors.Is(err, gate.Tampered) {
			t.Errorf("an item of %s: answered %v", what, err)
		}
	}
}

// TestRolledBack: what was taken away stays away when the items that say so are rolled back to a time
// before, one by one or together; what was stopped for good is not stopped for a time only.
func TestRolledBack(t *testing.T) {
	forAnHour := func(a *attacked) error {
		_, err := a.KeyManager().DisableKeyFor(background, a.key, time.Hour)
		return err
	}
	for _, test := range []struct {
		name, want string
		revoke     func(*attacked) error
		before     func(*attacked) error
	}{
		{"disable for good", "disabled", func(a *attacked) error {
			_, err := a.KeyManager().DisableKey(background, a.key)
			return err
		}, forAnHour},
		{"disable for longer", "disabled", func(a *attacked) error {
			_, err := a.KeyManager().DisableKeyFor(background, a.key, 3*time.Hour)
			return err
		}, forAnHour},
		{"delete what was disabled for a time", "disabled", func(a *attacked) error {
			_, err := a.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: a.key})
			return err
		}, forAnHour},
		{"disable", "disabled", func(a *attacked) error {
			_, err := a.KeyManager().DisableKey(background, a.key)
			return err
		}, nil},
		{"compromise a version", "compromised", func(a *attacked) error {
			_, err := a.KeyManager().MarkCompromised(background, keys.CompromiseRequest{Key: a.key + "@1", Reason: "x"})
			return err
		}, nil},
		{"compromise the key", "compromised", func(a *attacked) error {
			_, err := a.KeyManager().MarkCompromised(background, keys.CompromiseRequest{Key: a.key, Reason: "x"})
			return err
		}, nil},
		{"delete", "disabled", func(a *attacked) error {
			_, err := a.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: a.key})
			return err
		}, nil},
		{"cancel a deletion", "disabled", func(a *attacked) error {
			_, err := a.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: a.key})
			if err == nil {
				_, err = a.KeyManager().CancelKeyDeletion(background, a.key)
			}
			return err
		}, nil},
	} {
		for _, which := range []string{"key", "version", "both"} {
			a := newAttacked(t)
			if test.before != nil {
				a.must(test.before(a))
			}
			key, version := a.item(a.keyRef()), a.item(a.versionRef(1))
			a.must(test.revoke(a))
			a.Clock.Advance(2 * time.Hour)
			if which != "version" {
				a.store.instead[a.keyRef()] = &key
			}
			if which != "key" {
				a.store.instead[a.versionRef(1)] = &version
			}
			for _, restart := range []bool{false, true} {
				if restart {
					a.Reopen()
				}
				if got := outcome(a.decrypt()); got != test.want && !(which == "version" && got == "pending_deletion") {
					t.Errorf("%s, %s rolled back, restarted %v: decrypt was answered %s", test.name, which, restart, got)
				}
			}
			if which == "key" && !strings.Contains(a.findings(), "rolled back") {
				t.Errorf("%s: a check finds %q", test.name, a.findings())
			}
		}
	}
}

// TestStopsChain: a chain of stops with an entry missing, moved, edited or inserted opens no store.
func TestStopsChain(t *testing.T) {
	a := newAttacked(t)
	for range 2 {
		_, err := a.KeyManager().DisableKey(background, a.key)
		a.must(err)
		_, err = a.KeyManager().EnableKey(background, a.key)
		a.must(err)
	}
	stops := a.Items(store.KindStop)
	if len(stops) != 4 {
		t.Fatalf("%d stops", len(stops))
	}
	put := func(at int, item store.Item) {
		item.Ref = stops[at].Ref
		a.store.instead[item.Ref] = &item
	}
	for what, damage := range map[string]func(){
		"last deleted":        func() { a.store.instead[stops[3].Ref] = nil },
		"first deleted":       func() { a.store.instead[stops[0].Ref] = nil },
		"all deleted":         func() { damageAll(a, stops) },
		"two exchanged":       func() { put(0, stops[2]); put(2, stops[0]) },
		"one repeated":        func() { put(1, stops[0]) },
		"one edited":          func() { item := stops[1]; item.Body = slices.Clone(item.Body); item.Body[33] ^= 1; put(1, item) },
		"a forged one at end": func() { insertAfter(a, stops[3]) },
	} {
		damage()
		a.Close()
		if err := a.TryReopen(); !errors.Is(err, gate.Tampered) {
			t.Errorf("%s: opened with %v", what, err)
		}
		clear(a.store.instead)
	}
	a.must(a.TryReopen())
}

func damageAll(a *attacked, stops []store.Item) {
	for _, s := range stops {
		a.store.instead[s.Ref] = nil
	}
}

func insertAfter(a *attacked, last store.Item) {
	next := last
	next.ID = string(binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64([]byte(last.ID))+1))
	a.store.instead[next.Ref] = &next
}

// TestStoreBehindJournal: all items rolled back together, under the journal of today, and the journal
// rolled back under the items of today: neither opens once a right was taken away between.
func TestStoreBehindJournal(t *testing.T) {
	a := newAttacked(t)
	before, err := a.store.Store.Head(background)
	a.must(err)
	then := map[store.Ref]store.Item{}
	for _, kind := range store.Kinds() {
		for _, item := range a.Items(kind) {
			then[item.Ref] = item
		}
	}
	_, err = a.KeyManager().DisableKey(background, a.key)
	a.must(err)
	a.Close()
	for _, kind := range store.Kinds() {
		for _, item := range a.Items(kind) {
			a.store.instead[item.Ref] = nil
			if old, there := then[item.Ref]; there {
				a.store.instead[item.Ref] = &old
			}
		}
	}
	if err := a.TryReopen(); !errors.Is(err, gate.Tampered) {
		t.Errorf("items of before opened with %v", err)
	}
	clear(a.store.instead)
	a.store.head = func(store.Head) store.Head { return before }
	if err := a.TryReopen(); !errors.Is(err, gate.Tampered) {
		t.Errorf("a journal of before opened with %v", err)
	}
	a.store.head = nil
	a.must(a.TryReopen())
}

// TestAccessSet: a credential that was deleted and is put back, and a principal that was deleted by
// another's hand, are found by a check.
func TestAccessSet(t *testing.T) {
	a := newAttacked(t)
	person, _, _ := a.Person("second", true)
	a.Stage(person...)
	credential := a.item(person[1].Ref)
	a.Stage(gate.Change{Ref: credential.Ref, Before: &credential, Delete: true})
	if found := a.findings(); found != "" {
		t.Fatalf("found in a whole store: %s", found)
	}
	a.store.instead[credential.Ref] = &credential
	if found := a.findings(); !strings.Contains(found, "access items") || !strings.Contains(found, "brought back") {
		t.Errorf("a credential put back: found %q", found)
	}
	clear(a.store.instead)
	a.store.instead[person[0].Ref] = nil
	if found := a.findings(); !strings.Contains(found, "access items") || !strings.Contains(found, "missing") {
		t.Errorf("a principal taken out: found %q", found)
	}
}
