package lifecycle_test

import (
	"testing"
	"time"

	"github.com/haven-health/haven/lifecycle"
)

// A suspension that ends by the clock is lifted by the recorded transition, not by the moment.
func TestSuspension(t *testing.T) {
	key, v := create(t, lifecycle.Policy{})
	hour := now.Add(time.Hour)
	if _, err := lifecycle.Disable(key, now, now); verdict(err) != "invalid_period" {
		t.Errorf("until now: %v", err)
	}
	key = done[lifecycle.Key](t)(lifecycle.Disable(key, hour, now))
	if !lifecycle.NextDueKey(key).Equal(hour) {
		t.Errorf("due %s", lifecycle.NextDueKey(key))
	}
	shorter := done[lifecycle.Key](t)(lifecycle.Disable(key, now.Add(time.Minute), now))
	longer := done[lifecycle.Key](t)(lifecycle.Disable(key, time.Time{}, now))
	if shorter != key || !longer.DisabledUntil.IsZero() || !longer.Disabled {
		t.Errorf("shorter %+v, longer %+v", shorter, longer)
	}
	if again := done[lifecycle.Key](t)(lifecycle.Disable(longer, hour, now)); again != longer {
		t.Errorf("shortened to %+v", again)
	}
	if _, changed := lifecycle.AdvanceKey(key, hour.Add(-1)); changed {
		t.Error("lifted early")
	}
	if got := verdict(lifecycle.Check(key, v, lifecycle.Process, false, hour.Add(-1))); got != "disabled" {
		t.Errorf("before its end: %s", got)
	}
	if got := verdict(lifecycle.Check(key, v, lifecycle.Process, false, hour)); got != "resume_first" {
		t.Errorf("the clock alone lifted it: %s", got)
	}
	if _, err := lifecycle.Rotate(key, v, hour.Add(-1)); verdict(err) != "disabled" {
		t.Errorf("rotated before its end: %v", err)
	}
	if _, err := lifecycle.Rotate(key, v, hour); verdict(err) != "resume_first" {
		t.Errorf("rotated before it was lifted: %v", err)
	}
	going := done[lifecycle.Key](t)(lifecycle.ScheduleKeyDeletion(key, 0, now))
	if next, changed := lifecycle.AdvanceKey(going, hour); changed {
		t.Errorf("lifted although the key is to be destroyed: %+v", next)
	}
	if next, changed := lifecycle.AdvanceKey(key, hour); !changed || next.Status() != lifecycle.Enabled {
		t.Errorf("not lifted: %+v", next)
	}
}

// What a destroyed key still says of its versions is kept in their tombstones, and nothing else is
// written to them.
func TestVersionsOfADestroyedKey(t *testing.T) {
	key := lifecycle.Key{Versions: 2, CompromisedThrough: 1, Destroyed: true, DeletionDate: now}
	for n, compromised := range map[uint32]bool{1: true, 2: false} {
		v := lifecycle.Version{Number: n, State: lifecycle.Rotating, GraceEndsAt: now}
		if _, changed := lifecycle.Advance(key, v, now); changed {
			t.Errorf("version %d changed", n)
		}
		if v = done[lifecycle.Version](t)(lifecycle.DestroyVersion(key, v, now)); v.WasCompromised != compromised {
			t.Errorf("version %d: was compromised %v", n, v.WasCompromised)
		}
	}
}

// A version that is replaced after the end of its life has no grace period at all.
func TestRotateAfterTheEndOfLife(t *testing.T) {
	key, v := create(t, lifecycle.Policy{GraceDays: 30, LifetimeDays: 10})
	c := done[lifecycle.Change](t)(lifecycle.Rotate(key, v, now.Add(10*lifecycle.Day)))
	if c.Old.State != lifecycle.Deprecated {
		t.Errorf("it is %s", c.Old.State)
	}
	c = done[lifecycle.Change](t)(lifecycle.Rotate(key, v, now.Add(9*lifecycle.Day)))
	if c.Old.State != lifecycle.Rotating || !c.Old.GraceEndsAt.Equal(v.LifetimeEndsAt) {
		t.Errorf("%+v", c.Old)
	}
}

// A deletion date counts only in the states that lead to destruction by themselves.
func TestStrayDeletionDate(t *testing.T) {
	v := lifecycle.Version{Number: 1, State: lifecycle.Deprecated, DeletionDate: now}
	if got := lifecycle.Effective(lifecycle.Key{Primary: 2, Versions: 2}, v, now); got != lifecycle.Deprecated {
		t.Errorf("it is %s", got)
	}
}

func TestKeyDeletion(t *testing.T) {
	key, v := create(t, lifecycle.Policy{})
	if _, err := lifecycle.CancelKeyDeletion(key, now); verdict(err) != "not_pending_deletion" {
		t.Errorf("cancel of nothing: %v", err)
	}
	disabled := done[lifecycle.Key](t)(lifecycle.Disable(key, time.Time{}, now))
	if _, err := lifecycle.CancelKeyDeletion(disabled, now); verdict(err) != "not_pending_deletion" {
		t.Errorf("cancel of nothing: %v", err)
	}
	if _, err := lifecycle.Rotate(disabled, v, now); verdict(err) != "disabled" {
		t.Errorf("rotate while disabled: %v", err)
	}
	key = done[lifecycle.Key](t)(lifecycle.ScheduleKeyDeletion(key, 7, now))
	date := now.Add(7 * lifecycle.Day)
	if !key.DeletionDate.Equal(date) || !lifecycle.NextDueKey(key).Equal(date) {
		t.Errorf("deletion at %s", key.DeletionDate)
	}
	if _, err := lifecycle.DestroyKey(key, date.Add(-1)); verdict(err) != "not_due" {
		t.Errorf("destroyed early: %v", err)
	}
	if _, err := lifecycle.CancelKeyDeletion(key, date); verdict(err) != "destroyed" {
		t.Errorf("cancelled late: %v", err)
	}
	cancelled := done[lifecycle.Key](t)(lifecycle.CancelKeyDeletion(key, date.Add(-1)))
	if cancelled.Status() != lifecycle.Disabled || !lifecycle.NextDueKey(cancelled).IsZero() {
		t.Errorf("after cancelling %+v", cancelled)
	}
	key = done[lifecycle.Key](t)(lifecycle.DestroyKey(key, date))
	if v = done[lifecycle.Version](t)(lifecycle.DestroyVersion(key, v, date)); v.State != lifecycle.Destroyed || v.WasCompromised {
		t.Errorf("%+v", v)
	}
	if _, err := lifecycle.DestroyVersion(key, v, date); verdict(err) != "destroyed" {
		t.Errorf("destroyed twice: %v", err)
	}
}
