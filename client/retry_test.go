package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
)

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	for name, failure := range map[string]answer{
		"429": problem(429, "rate_limited"), "502": {status: 502, body: "<html>"}, "503": problem(503, "contended"),
		"reset": {reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newContract(t, failure, failure, okay(`{"key_id":"k"}`))
			key, err := s.client(t).RotateKey(t.Context(), "alias/a")
			if err != nil || key.KeyID != "k" {
				t.Fatalf("%v %v", key, err)
			}
			tries := s.arrived()
			if len(tries) != 3 || len(s.pauses) != 2 {
				t.Fatalf("%d tries, %d pauses", len(tries), len(s.pauses))
			}
			first := tries[0].header.Get("Idempotency-Key")
			for _, again := range tries {
				if again.body != tries[0].body || again.header.Get("Idempotency-Key") != first || len(first) != 32 {
					t.Errorf("a try differs: %+v", again)
				}
			}
		})
	}
}

func TestLastingFailuresAreNotTriedAgain(t *testing.T) {
	tooLong := problem(503, "unavailable")
	tooLong.header["Retry-After"] = "31"
	for name, failure := range map[string]answer{
		"400": problem(400, "invalid_request"), "403": problem(403, "access_denied"), "500": problem(500, "internal"),
		"504": {status: 504}, "locked": problem(503, "locked"), "asked to wait long": tooLong, "redirect": {status: 307, header: map[string]string{"Location": "/elsewhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newContract(t, failure, okay(`{}`))
			if _, err := s.client(t).RotateKey(t.Context(), "k"); err == nil {
				t.Error("no error")
			}
			if n := len(s.arrived()); n != 1 {
				t.Errorf("%d tries", n)
			}
		})
	}
}

func TestCallsEndAfterThreeTries(t *testing.T) {
	s := newContract(t, problem(503, "unavailable"))
	_, err := s.client(t).Encrypt(t.Context(), client.EncryptRequest{Key: "k"})
	if !errors.Is(err, client.Unavailable) || len(s.arrived()) != 3 {
		t.Errorf("%v after %d tries", err, len(s.arrived()))
	}
}

// On a connection used before, net/http would send the call again by itself, beside the budget.
func TestResetOfAPooledConnectionCountsAsATry(t *testing.T) {
	s := newContract(t, okay(`{}`))
	c := s.client(t)
	if _, err := c.RotateKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	s.answerWith(answer{reset: true})
	if _, err := c.RotateKey(t.Context(), "k"); err == nil {
		t.Error("no error")
	}
	if tries, pauses := len(s.arrived()), len(s.pauses); tries != 3 || pauses != 2 {
		t.Errorf("%d tries with %d pauses, want 3 with 2", tries, pauses)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	s := newContract(t, okay(`{}`))
	c := s.client(t)
	seen := map[string]bool{}
	for range 10 {
		if _, err := c.RotateKey(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	for _, arrived := range s.arrived() {
		seen[arrived.header.Get("Idempotency-Key")] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d keys for ten calls", len(seen))
	}
	s.answerWith(okay(`{}`))
	if _, err := c.DescribeKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, given := s.arrived()[0].header["Idempotency-Key"]; given {
		t.Error("a call that changes nothing has a key")
	}
	broken := s.client(t, func(cfg *client.Config) { cfg.Random = bytes.NewReader(nil) })
	s.answerWith(okay(`{}`))
	if _, err := broken.RotateKey(t.Context(), "k"); !errors.Is(err, io.EOF) || len(s.arrived()) != 0 {
		t.Errorf("without randomness: %v, %d tries", err, len(s.arrived()))
	}
}

func TestPausesHaveFullJitterAndKeepRetryAfter(t *testing.T) {
	asked := problem(429, "rate_limited")
	asked.header["Retry-After"] = "7"
	// Reads of zeros draw the shortest pauses, of ones nearly the longest.
	for name, c := range map[string]struct {
		draw     byte
		failure  answer
		min, max [2]time.Duration
	}{
		"shortest": {0, problem(503, "unavailable"), [2]time.Duration{0, 0}, [2]time.Duration{0, 0}},
		"drawn":    {0xff, problem(503, "unavailable"), [2]time.Duration{1, 1}, [2]time.Duration{50 * time.Millisecond, 100 * time.Millisecond}},
		"asked": {0, asked, [2]time.Duration{7 * time.Second, 7 * time.Second},
			[2]time.Duration{7 * time.Second, 7 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newContract(t, c.failure)
			client := s.client(t, func(cfg *client.Config) { cfg.Random = constant(c.draw) })
			if _, err := client.DescribeKey(t.Context(), "k"); err == nil {
				t.Fatal("no error")
			}
			if len(s.pauses) != 2 {
				t.Fatalf("pauses %v", s.pauses)
			}
			for i, pause := range s.pauses {
				if pause < c.min[i] || pause > c.max[i] {
					t.Errorf("pause %d: %v, want %v to %v", i+1, pause, c.min[i], c.max[i])
				}
			}
		})
	}
}

// constant is a source of one byte.
type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestRetriesStayWithinTheBudget(t *testing.T) {
	s := newContract(t, problem(503, "unavailable"))
	c := s.client(t)
	fail := func(calls int) (tries int) {
		s.answerWith(problem(503, "unavailable"))
		for range calls {
			if _, err := c.DescribeKey(t.Context(), "k"); err == nil {
				t.Fatal("no error")
			}
		}
		return len(s.arrived())
	}
	if got := fail(100); got != 103 {
		t.Errorf("100 calls of a new client led to %d tries, want 103", got)
	}
	s.answerWith(okay(`{}`))
	for range 50 {
		if _, err := c.DescribeKey(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if got := fail(100); got != 105 {
		t.Errorf("100 calls after 50 successes led to %d tries, want 105", got)
	}
}

func TestContextEndsACall(t *testing.T) {
	t.Run("waiting", func(t *testing.T) {
		s := newContract(t, problem(503, "unavailable"))
		ctx, cancel := context.WithCancel(t.Context())
		c := s.client(t, func(cfg *client.Config) {
			cfg.Wait = func(ctx context.Context, _ time.Duration) error {
				cancel()
				return ctx.Err()
			}
		})
		_, err := c.DescribeKey(ctx, "k")
		if !errors.Is(err, context.Canceled) || !errors.Is(err, client.Unavailable) || len(s.arrived()) != 1 {
			t.Errorf("%v after %d tries", err, len(s.arrived()))
		}
	})
	t.Run("waiting for real", func(t *testing.T) {
		slow := problem(503, "unavailable")
		slow.header["Retry-After"] = "29"
		s := newContract(t, slow)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c := s.client(t, func(cfg *client.Config) { cfg.Wait = nil })
		if _, err := c.DescribeKey(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("sending", func(t *testing.T) {
		s := newContract(t, answer{reset: true})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.client(t).DescribeKey(ctx, "k"); !errors.Is(err, context.Canceled) || len(s.pauses) != 0 {
			t.Errorf("%v, pauses %v", err, s.pauses)
		}
	})
}
