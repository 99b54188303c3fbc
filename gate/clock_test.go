package gate_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// create makes a data key that rotates each ninety days.
func create(w *gatetest.World) *keys.Key {
	w.Helper()
	k, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "clinic", Type: keys.Data, RotationDays: 90})
	if err != nil {
		w.Fatal(err)
	}
	return k
}

// accepted returns what the records of accept-clock say.
func accepted(w *gatetest.World) (out []string) {
	w.Helper()
	for _, e := range w.Records(0) {
		if e.Operation == gate.AcceptClock.Number {
			out = append(out, e.Outcome.String()+" "+e.Parameters)
		}
	}
	return out
}

// TestWrongClockAtOneStart: a machine whose clock is a month ahead at one start ends no deletion's
// wait, and the next start with the clock mended finds everything as it was.
func TestWrongClockAtOneStart(t *testing.T) {
	w := gatetest.New(t)
	k := create(w)
	if _, err := w.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: k.ID, Days: 30}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	w.Clock.Step(31 * day)
	w.Reopen()
	if !w.Alarms().Clock {
		t.Error("a start a month after the last record raises no alarm")
	}
	w.Clock.Advance(time.Minute)
	w.Close()
	w.Clock.Step(-31 * day)
	w.Reopen()
	if w.Alarms().Clock {
		t.Error("the alarm stands though the clock was mended")
	}
	if _, err := w.KeyManager().CancelKeyDeletion(background, k.ID); err != nil {
		t.Errorf("the deletion cannot be cancelled: %v", err)
	}
	monotone(w)
}

// TestMachineThatWasOff: a machine that was off for months serves at once, by the time it knew last;
// an operator accepts the clock and what is over is over.
func TestMachineThatWasOff(t *testing.T) {
	w := gatetest.New(t)
	k := create(w)
	w.Close()
	w.Clock.Advance(120 * day)
	w.Reopen()
	if v := encrypted(w, k); v != 1 || !w.Alarms().Clock {
		t.Errorf("version %d, alarm %v", v, w.Alarms().Clock)
	}
	if err := w.KeyManager().AcceptClock(background, false); err != nil {
		t.Fatal(err)
	}
	if v := encrypted(w, k); v != 2 || w.Alarms().Clock {
		t.Errorf("after the clock was accepted: version %d, alarm %v", v, w.Alarms().Clock)
	}
	w.Reopen()
	if w.Alarms().Clock {
		t.Error("a restart forgets that the clock was accepted")
	}
	monotone(w)
}

func encrypted(w *gatetest.World, k *keys.Key) uint32 {
	w.Helper()
	out, err := w.KeyManager().Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")})
	if err != nil {
		w.Fatal(err)
	}
	return out.Version
}

// TestAlarmOutlivesRestarts: a clock that was not believed is not believed after a restart either,
// however little it is ahead.
func TestAlarmOutlivesRestarts(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, 10 * year, -time.Hour, -10 * year} {
		w := gatetest.New(t)
		k := create(w)
		w.Clock.Step(step)
		encrypted(w, k)
		for range 2 {
			w.Reopen()
			w.Clock.Advance(time.Minute)
			if v := encrypted(w, k); v != 1 || !w.Alarms().Clock {
				t.Errorf("step %v: version %d, alarm %v", step, v, w.Alarms().Clock)
			}
		}
		w.Clock.Step(-step)
		if now := create(w).CreatedAt; w.Alarms().Clock || now.Sub(gatetest.Start) > time.Hour {
			t.Errorf("step %v, mended: alarm %v, a key is made at %v", step, w.Alarms().Clock, now)
		}
		w.Reopen()
		if w.Alarms().Clock {
			t.Errorf("step %v, mended: the restart raises the alarm", step)
		}
		monotone(w)
	}
}

// TestQuietTimesRaiseNoAlarm: a server to which nothing came for longer than the gap knows at its
// next start what time it was.
func TestQuietTimesRaiseNoAlarm(t *testing.T) {
	w := gatetest.New(t)
	w.Clock.Advance(gate.DefaultClockGap + day)
	w.Reopen()
	if w.Alarms().Clock {
		t.Error("an alarm")
	}
}

// TestClockTakenBack: a wrong clock that an operator accepted is taken back, by an operator who says
// so, in a record; new keys get true dates, what only the clock ended is there again, and what was
// recorded as ended is not.
func TestClockTakenBack(t *testing.T) {
	w := gatetest.New(t)
	km := w.KeyManager()
	deleted, ended := create(w), create(w)
	for _, k := range []*keys.Key{deleted, ended} {
		if _, err := km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: k.ID, Days: 7}); err != nil {
			t.Fatal(err)
		}
	}
	w.Clock.Step(10 * year)
	if err := km.AcceptClock(background, false); err != nil {
		t.Fatal(err)
	}
	if _, err := km.CancelKeyDeletion(background, deleted.ID); !errors.Is(err, gate.InvalidState) {
		t.Fatalf("by the wrong clock: %v", err)
	}
	record(w, ended)
	w.Clock.Step(-10 * year)
	var refused *gate.Error
	if err := km.AcceptClock(background, false); !errors.As(err, &refused) || refused.Code != gate.InvalidState ||
		!strings.Contains(refused.Detail, "2026-03-01T08:00:00Z") || !strings.Contains(refused.Detail, "2036-") || !w.Alarms().Clock {
		t.Fatalf("not asked to go back: %v, alarm %v", refused, w.Alarms().Clock)
	}
	if err := km.AcceptClock(background, true); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if now := create(w).CreatedAt; w.Alarms().Clock || now.Sub(gatetest.Start).Abs() > time.Hour {
			t.Errorf("alarm %v, a key is made at %v", w.Alarms().Clock, now)
		}
		w.Reopen()
	}
	if _, err := w.KeyManager().CancelKeyDeletion(background, deleted.ID); err != nil {
		t.Errorf("what only the clock ended: %v", err)
	}
	if _, err := w.KeyManager().CancelKeyDeletion(background, ended.ID); !errors.Is(err, gate.InvalidState) {
		t.Errorf("what was recorded as destroyed was taken back: %v", err)
	}
	want := []string{
		"allowed from=2026-03-01T08:00:00Z;to=2036-02-27T08:00:00Z",
		"failed ",
		"allowed from=2036-02-27T08:00:00Z;to=2026-03-01T08:00:00Z",
	}
	if got := accepted(w); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// record records that a key was destroyed.
func record(w *gatetest.World, k *keys.Key) {
	w.Helper()
	id, _ := gate.ParseID(k.ID)
	err := w.Gate().Do(background, w.Begin(gatetest.Staging), gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		return gate.Outcome{Stops: []gate.Stop{{Ref: store.Ref{Kind: store.KindKey, ID: string(id[:])}, What: gate.Destroyed}}}, nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

// TestKillAfterAcceptedBack: a process that ends between the record of an accepted clock and the next
// starts with an alarm, and an operator accepts once more.
func TestKillAfterAcceptedBack(t *testing.T) {
	w, faulty := withFaults(t)
	w.Clock.Step(year)
	if err := w.KeyManager().AcceptClock(background, false); err != nil {
		t.Fatal(err)
	}
	w.Clock.Step(-year)
	faulty.FailCommit(2, false, store.ErrUnavailable) // the pin
	faulty.FailCommit(3, false, store.ErrUnavailable) // what the end of the process writes
	if err := w.KeyManager().AcceptClock(background, true); !errors.Is(err, gate.Unavailable) {
		t.Fatalf("accepted though it was not pinned: %v", err)
	}
	w.Reopen()
	if !w.Alarms().Clock {
		t.Error("no alarm")
	}
	if err := w.KeyManager().AcceptClock(background, true); err != nil || w.Alarms().Clock {
		t.Errorf("%v, alarm %v", err, w.Alarms().Clock)
	}
	if now := create(w).CreatedAt; now.Sub(gatetest.Start).Abs() > time.Hour {
		t.Errorf("a key is made at %v", now)
	}
}

// TestAlteredPinMakesNoClockBelieved: who can write the store and has no key cannot take the alarm
// away with it.
func TestAlteredPinMakesNoClockBelieved(t *testing.T) {
	a := newAttacked(t)
	ref := store.Ref{Kind: store.KindSetting, ID: "pin"}
	a.Reopen()
	a.Close()
	items, _, err := a.store.Get(background, ref)
	a.must(err)
	a.Reopen()
	if a.Alarms().Clock {
		t.Fatal("an alarm stands already")
	}
	a.Close()
	items[0].Body = []byte(`{"v":1,"clock_alarm":false}`)
	a.store.instead[ref] = &items[0]
	a.Clock.Step(time.Hour)
	a.Reopen()
	if !a.Alarms().Clock || a.Alarms().Tampered == 0 {
		t.Errorf("%+v", a.Alarms())
	}
}
