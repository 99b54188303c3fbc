package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/server"
)

func TestRateLimiter(t *testing.T) {
	c := clock.NewManual(start)
	l := must(server.NewRateLimiter(server.Rate{PerSecond: 2, Burst: 3, Keys: 100}, c))
	for range 3 {
		if _, allowed := l.Allow("a"); !allowed {
			t.Fatal("refused within the burst")
		}
	}
	after, allowed := l.Allow("a")
	if allowed || after != 500*time.Millisecond {
		t.Errorf("past the burst: %t, retry after %v", allowed, after)
	}
	if _, allowed := l.Allow("b"); !allowed {
		t.Error("one key's use refused another's")
	}
	c.Step(24 * time.Hour)
	if _, allowed := l.Allow("a"); allowed {
		t.Error("a step of the wall clock filled the bucket")
	}
	c.Advance(after)
	if _, allowed := l.Allow("a"); !allowed {
		t.Error("refused after the time it said")
	}
}

func TestRateLimiterForgetsTheLeastRecentlyUsed(t *testing.T) {
	const keys = 100
	c := clock.NewManual(start)
	l := must(server.NewRateLimiter(server.Rate{PerSecond: 1, Burst: 1, Keys: keys}, c))
	l.Allow("busy")
	l.Allow("quiet")
	for i := range 10 * keys {
		l.Allow(fmt.Sprint(i))
		if _, allowed := l.Allow("busy"); allowed {
			t.Fatalf("a key in use was forgotten after %d others", i)
		}
	}
	if _, allowed := l.Allow("quiet"); !allowed {
		t.Error("a key not used for long is still remembered: memory is not bounded")
	}
}

func TestRateIsValidated(t *testing.T) {
	for _, r := range []server.Rate{{}, {PerSecond: 1, Burst: 1}, {PerSecond: 1, Keys: 1}, {Burst: 1, Keys: 1}, {PerSecond: -1, Burst: 1, Keys: 1}} {
		if _, err := server.NewRateLimiter(r, clock.NewManual(start)); err == nil {
			t.Errorf("%+v accepted", r)
		}
	}
}
