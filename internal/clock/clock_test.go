package clock_test

import (
	"testing"
	"time"

	"github.com/haven-health/haven/internal/clock"
)

func TestSystemMonotonicNeverGoesBack(t *testing.T) {
	c := clock.System()
	last := c.Monotonic()
	for range 100_000 {
		now := c.Monotonic()
		if now < last {
			t.Fatalf("went back from %v to %v", last, now)
		}
		last = now
	}
}

func TestManualMovesOnlyWhenTold(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	m := clock.NewManual(start)
	m.Advance(time.Hour)
	m.Step(-2 * time.Hour)
	if got, want := m.Wall(), start.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("wall %v, want %v", got, want)
	}
	if got := m.Monotonic(); got != time.Hour {
		t.Errorf("monotonic %v, want 1h: a step of the wall clock is not time passing", got)
	}
}

func BenchmarkSystem(b *testing.B) {
	c := clock.System()
	b.Run("wall", func(b *testing.B) {
		for b.Loop() {
			c.Wall()
		}
	})
	b.Run("monotonic", func(b *testing.B) {
		for b.Loop() {
			c.Monotonic()
		}
	})
}
