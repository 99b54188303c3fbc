package gate_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/vault"
)

// repeated creates a key under an idempotency key, as a principal.
func repeated(w *gatetest.World, as gate.ID, idempotency, purpose string) (*keys.Key, error) {
	c, err := w.Gate().Begin(background, gate.CreateKey, gate.Proof{Local: as})
	if err != nil {
		return nil, err
	}
	body := [32]byte{}
	copy(body[:], purpose)
	if err := c.Idempotent(idempotency, body); err != nil {
		return nil, err
	}
	return w.Manager().CreateKey(background, c, keys.CreateRequest{
		Purpose: purpose, Type: keys.Data, Tags: map[string]string{"purpose": purpose},
	})
}

func dataKeys(w *gatetest.World) int {
	w.Helper()
	page, err := w.KeyManager().ListKeys(background, keys.ListRequest{Type: keys.Data})
	if err != nil {
		w.Fatal(err)
	}
	return len(page.Keys)
}

func TestIdempotency(t *testing.T) {
	w := gatetest.New(t)
	first, err := repeated(w, w.Admin, "k", "one")
	if err != nil {
		t.Fatal(err)
	}
	again := func(what string, same bool) {
		t.Helper()
		k, err := repeated(w, w.Admin, "k", "one")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if (k.ID == first.ID) != same || same && (k.ARN != first.ARN || k.Tags["purpose"] != "one" || !k.CreatedAt.Equal(first.CreatedAt)) {
			t.Errorf("%s: answered %+v after %+v", what, k, first)
		}
	}
	again("at once", true)
	if _, err := repeated(w, w.Admin, "k", "two"); !errors.Is(err, gate.IdempotencyMismatch) {
		t.Errorf("another body was answered %v", err)
	}
	w.Reopen()
	again("after a restart", true)
	w.Clock.Advance(24*time.Hour - time.Millisecond)
	again("just within 24 hours", true)
	if n := dataKeys(w); n != 1 {
		t.Errorf("%d keys", n)
	}
	w.Clock.Advance(time.Millisecond)
	again("after 24 hours", false)
	if n := dataKeys(w); n != 2 {
		t.Errorf("%d keys after 24 hours", n)
	}
}

// TestIdempotencyScope: a key is a principal's and an operation's.
func TestIdempotencyScope(t *testing.T) {
	w := gatetest.New(t)
	other, _ := w.Principal("second", true)
	first, err := repeated(w, w.Admin, "k", "one")
	if err != nil {
		t.Fatal(err)
	}
	if k, err := repeated(w, other, "k", "one"); err != nil || k.ID == first.ID {
		t.Errorf("another principal was answered %v, %v", k, err)
	}
	c := w.Begin(gate.DisableKey)
	if err := c.Idempotent("k", [32]byte{9}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Manager().DisableKey(background, c, keys.DisableRequest{Key: first.ID}); err != nil {
		t.Errorf("another operation was answered %v", err)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	w := gatetest.New(t)
	for key, valid := range map[string]bool{
		"": false, "a b": false, "ä": false, "\x7f": false, strings.Repeat("x", gate.MaxIdempotency+1): false,
		"a": true, "!~": true, strings.Repeat("x", gate.MaxIdempotency): true,
	} {
		if err := w.Begin(gate.CreateKey).Idempotent(key, [32]byte{}); (err == nil) != valid || err != nil && !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// TestIdempotentAtOnce: many callers with one key have one effect and one answer.
func TestIdempotentAtOnce(t *testing.T) {
	w := gatetest.New(t)
	for round := range 20 {
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wg.Go(func() {
				for { // one that is contended is asked again, as clients do
					k, err := repeated(w, w.Admin, string(rune('a'+round)), "one")
					if err == nil {
						ids[i] = k.ID
						return
					}
					if !errors.Is(err, gate.Contended) {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("two answers: %s and %s", id, ids[0])
			}
		}
		if n := dataKeys(w); n != round+1 {
			t.Fatalf("%d keys after %d rounds", n, round+1)
		}
	}
}

// TestIdempotentAfterFault: who did not learn the outcome asks again and gets it, once.
func TestIdempotentAfterFault(t *testing.T) {
	for way, faults := range waysToFail {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, faulty := withFaults(t)
				for i, f := range faults {
					faulty.FailCommit(i+1, f.written, f.err)
				}
				first, err := repeated(w, w.Admin, "k", "one")
				if err != nil && !errors.Is(err, gate.Unavailable) && !errors.Is(err, gate.NoSpace) {
					t.Fatal(err)
				}
				second, err := repeated(w, w.Admin, "k", "one")
				if err != nil || first != nil && first.ID != second.ID {
					t.Errorf("answered %v, then %v, %v", first, second, err)
				}
				if n := dataKeys(w); n != 1 {
					t.Errorf("%d keys", n)
				}
			})
		})
	}
}

// TestIdempotencyRowIsHousekeeping: remembering an answer moves no epoch by itself.
func TestIdempotencyRowIsHousekeeping(t *testing.T) {
	w := gatetest.New(t)
	before, err := w.Store.Head(background)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repeated(w, w.Admin, "k", "one"); err != nil {
		t.Fatal(err)
	}
	after, err := w.Store.Head(background)
	if err != nil || after.Epoch != before.Epoch {
		t.Errorf("the epoch went from %v to %v: %v", before.Epoch, after.Epoch, err)
	}
	if rows := w.Items(store.KindIdempotency); len(rows) != 1 || rows[0].Due != w.Clock.Wall().Add(24*time.Hour).UnixMilli() {
		t.Errorf("remembered as %+v", rows)
	}
}

// TestAskedIsNotGuessed: what stands for a request beside its stored answer cannot be made without the
// integrity key: a request to store a password could be guessed by it.
func TestAskedIsNotGuessed(t *testing.T) {
	w := gatetest.New(t)
	text, body := "hunter2", sha256.Sum256([]byte(`{"name":"db","text":"hunter2"}`))
	c, err := w.Gate().Begin(background, gate.StoreKey, gate.Proof{Local: w.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Idempotent("once", body); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Vault().StoreKey(background, c, vault.StoreRequest{Name: "db", Text: &text}); err != nil {
		t.Fatal(err)
	}
	rows := w.Items(store.KindIdempotency)
	if len(rows) != 1 || bytes.Contains(rows[0].Body, body[:]) || bytes.Contains(rows[0].Body, []byte(text)) {
		t.Errorf("%d rows, %x", len(rows), rows[0].Body)
	}
}

// TestForget: a check deletes what is remembered no more, in pages, and nothing else; a key that was
// forgotten is taken again.
func TestForget(t *testing.T) {
	w := gatetest.New(t)
	const old = 100
	for i := range old {
		if _, err := repeated(w, w.Admin, fmt.Sprint("old", i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	w.Clock.Advance(time.Hour)
	if _, err := repeated(w, w.Admin, "new", "x"); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(23 * time.Hour)
	from := w.Position()
	if _, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if rows := w.Items(store.KindIdempotency); len(rows) != 1 || w.Scheduler().Figures().Swept != old {
		t.Errorf("%d rows are left, %d were deleted", len(rows), w.Scheduler().Figures().Swept)
	}
	for _, e := range w.Records(from) {
		if e.Operation == gate.Forget.Number && (len(e.Changes) == 0 || len(e.Changes) > rotation.MaxSweep) {
			t.Errorf("a record of %d changes", len(e.Changes))
		}
	}
	if _, err := repeated(w, w.Admin, "old1", "another"); err != nil {
		t.Error(err)
	}
}

// TestForgottenIsDue: the row of an idempotency key is found as due from the moment it is ignored,
// and not before, so that it can be deleted.
func TestForgottenIsDue(t *testing.T) {
	w := gatetest.New(t)
	if _, err := repeated(w, w.Admin, "k", "one"); err != nil {
		t.Fatal(err)
	}
	forgotten := w.Clock.Wall().Add(24 * time.Hour).UnixMilli()
	for before, want := range map[int64]int{forgotten - 1: 0, forgotten: 1} {
		page, err := w.Store.Due(background, store.DueQuery{Before: before, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		items := slices.DeleteFunc(page.Items, func(it store.Item) bool { return it.Kind != store.KindIdempotency })
		if len(items) != want {
			t.Errorf("%d rows due at %d ms, want %d", len(items), before-forgotten, want)
		}
	}
	for after, same := range map[time.Duration]bool{24*time.Hour - time.Millisecond: true, 24 * time.Hour: false} {
		w := gatetest.New(t)
		first, err := repeated(w, w.Admin, "k", "one")
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(after)
		again, err := repeated(w, w.Admin, "k", "one")
		if err != nil || (again.ID == first.ID) != same {
			t.Errorf("after %v: %v, %v", after, again, err)
		}
	}
}
