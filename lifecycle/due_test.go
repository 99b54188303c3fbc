package lifecycle_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/haven-health/haven/lifecycle"
)

// TestDues: over random lives, what is due of a version is what NextDue tells; what waits for nobody is
// allowed when its time has come, and leaves nothing due of its kind behind.
func TestDues(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		m := &machine{versions: make([]lifecycle.Version, 1)}
		p := lifecycle.Policy{RotationDays: uint32(rng.IntN(3) * 45), RotateEarlyDays: 7, GraceDays: uint32(rng.IntN(2) * 30), LifetimeDays: uint32(rng.IntN(2) * 200)}
		if err := m.take(lifecycle.Create(p, start)); err != nil {
			t.Fatal(err)
		}
		for day := 0; day < 400; day += 1 + rng.IntN(20) {
			now := onDay(day)
			switch rng.IntN(12) {
			case 0:
				_ = m.takeKey(lifecycle.Disable(m.key, time.Time{}, now))
			case 1:
				_ = m.takeKey(lifecycle.Enable(m.key))
			case 2:
				v := m.versions[1+rng.IntN(len(m.versions)-1)]
				_ = m.take(lifecycle.CompromiseVersion(m.key, v, true, now))
			case 3:
				_ = m.takeKey(lifecycle.CompromiseKey(m.key))
			}
			for n := range m.versions[1:] {
				m.settle(t, n+1, now)
			}
		}
	}
}

// settle does what is due of a version.
func (m *machine) settle(t *testing.T, n int, now time.Time) {
	t.Helper()
	v := m.versions[n]
	dues := lifecycle.Dues(m.key, v)
	for _, d := range dues {
		if d.Work != lifecycle.WorkRecord && !d.At.Equal(lifecycle.NextDue(m.key, v)) {
			t.Fatalf("%s is due at %v, NextDue tells %v", d.Work, d.At, lifecycle.NextDue(m.key, v))
		}
		if d.At.After(now) || d.Waits != "" {
			continue
		}
		var err error
		switch d.Work {
		case lifecycle.WorkRotate:
			err = m.take(lifecycle.Rotate(m.key, v, now))
		case lifecycle.WorkDestroy:
			err = m.takeVersion(lifecycle.DestroyVersion(m.key, v, now))
		default:
			next, changed := lifecycle.Advance(m.key, v, now)
			if !changed {
				t.Fatalf("%s of version %d, %s, changes nothing", d.Work, n, v.State)
			}
			m.versions[n] = next
		}
		if err != nil {
			t.Fatalf("%s of version %d, %s: %v", d.Work, n, v.State, err)
		}
		for _, again := range lifecycle.Dues(m.key, m.versions[n]) {
			if again.Work == d.Work && !again.At.After(now) {
				t.Fatalf("%s of version %d is due again", d.Work, n)
			}
		}
	}
	if len(dues) == 0 && m.key.Status() == lifecycle.Enabled && v.State != lifecycle.Destroyed && !lifecycle.NextDue(m.key, v).IsZero() {
		t.Fatalf("version %d, %s, has a deadline and nothing due", n, v.State)
	}
}
