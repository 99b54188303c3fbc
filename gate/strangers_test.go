package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Calls that prove nobody, and calls over their principal's rate, are sampled with the exact count.

// samples returns what the sampled records say.
func samples(w *gatetest.World) (out []string) {
	w.Helper()
	for _, e := range w.Records(0) {
		if e.Operation == gate.Unrecognized.Number {
			out = append(out, e.Parameters)
		}
	}
	return out
}

// counted returns the counts of the sampled records, and their sum.
func counted(w *gatetest.World) (each []uint64, sum uint64) {
	w.Helper()
	for _, e := range w.Records(0) {
		if e.Operation != gate.Unrecognized.Number {
			continue
		}
		var n uint64
		_, count, _ := strings.Cut(e.Parameters, ";count=")
		if _, err := fmt.Sscan(count, &n); err != nil || e.Outcome != journal.Denied {
			w.Errorf("a sample says %q, %s", e.Parameters, e.Outcome)
		}
		each, sum = append(each, n), sum+n
	}
	return each, sum
}

// knock calls n times with a token that is nobody's.
func knock(w *gatetest.World, n int) {
	w.Helper()
	for range n {
		c, err := w.Gate().Begin(background, gate.Encrypt, gate.Proof{Bearer: token("haven_wrong")})
		if !errors.Is(err, gate.Unauthenticated) || c.Request().IsZero() {
			w.Fatalf("a stranger was answered %v", err)
		}
	}
}

// behind waits for what has joined a batch, by joining one.
func behind(w *gatetest.World) {
	w.Helper()
	refusal := gate.Errorf(gate.InvalidRequest, "")
	if err := w.Gate().Refuse(background, w.Begin(gate.Encrypt), refusal); !errors.Is(err, gate.InvalidRequest) {
		w.Fatal(err)
	}
}

func TestStrangers(t *testing.T) {
	w := gatetest.New(t)
	knock(w, 5)
	if err := w.Gate().Limit(w.Begin(gate.Encrypt)); !errors.Is(err, gate.RateLimited) {
		t.Fatal(err)
	}
	behind(w)
	if each, _ := counted(w); len(each) != 1 || each[0] != 1 {
		t.Errorf("samples of %v calls, want the first alone", each)
	}
	w.Clock.Advance(10*time.Second - 1)
	knock(w, 1)
	behind(w)
	if each, _ := counted(w); len(each) != 1 {
		t.Errorf("samples of %v calls before ten seconds are over", each)
	}
	w.Clock.Advance(1)
	knock(w, 1)
	behind(w)
	if each, sum := counted(w); len(each) != 2 || sum != 8 {
		t.Errorf("samples of %v calls, want two of 8", each)
	}
	want := []string{"operation=encrypt;count=1", "operation=encrypt;count=7;limited=1"}
	if got := samples(w); !slices.Equal(got, want) {
		t.Errorf("samples %q, want %q", got, want)
	}
	knock(w, 3)
	w.Reopen() // closing records what is left
	if _, sum := counted(w); sum != 11 {
		t.Errorf("%d calls in the samples, want 11", sum)
	}
}

// TestSampleOverRate: the record of a call over its principal's rate says so, and whose it was.
func TestSampleOverRate(t *testing.T) {
	w := gatetest.New(t)
	from := w.Position()
	if err := w.Gate().Limit(w.Begin(gate.Encrypt)); !errors.Is(err, gate.RateLimited) {
		t.Fatal(err)
	}
	behind(w)
	e := w.Records(from)[0]
	if e.Operation != gate.Unrecognized.Number || e.Error != uint16(gate.RateLimited) || e.Outcome != journal.Denied || e.Principal != w.Admin {
		t.Errorf("recorded as %+v", e)
	}
}

// TestStrangersWithoutStore: a sample that could not be recorded is in the next.
func TestStrangersWithoutStore(t *testing.T) {
	w, faulty := withFaults(t)
	faulty.FailReads(store.ErrUnavailable)
	from := w.Gate().Counters().Refused
	c, err := w.Gate().Begin(background, gate.Encrypt, gate.Proof{Local: w.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Gate().Limit(c); !errors.Is(err, gate.RateLimited) {
		t.Fatal(err)
	}
	if err := w.Gate().Refuse(background, c, gate.Errorf(gate.InvalidRequest, "")); !errors.Is(err, gate.Unavailable) {
		t.Fatal(err) // and the sample, which joined before it, was refused too
	}
	if w.Gate().Counters().Refused < from+2 {
		t.Error("the sample was not refused")
	}
	faulty.FailReads(nil)
	w.Clock.Advance(10 * time.Second)
	knock(w, 1)
	behind(w)
	if _, sum := counted(w); sum != 2 {
		t.Errorf("%d calls in the samples, want 2", sum)
	}
}

// TestNobodyDoesNothing: a call whose authentication failed can be done in no way.
func TestNobodyDoesNothing(t *testing.T) {
	w := gatetest.New(t)
	for _, op := range []*gate.Operation{gate.Encrypt, gate.Batch, gate.CreateKey} {
		c, err := w.Gate().Begin(background, op, gate.Proof{Bearer: token("haven_wrong")})
		if !errors.Is(err, gate.Unauthenticated) {
			t.Fatal(err)
		}
		err = w.Gate().Do(background, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
			t.Errorf("%s was done for nobody", op.Name)
			return gate.Outcome{}, nil
		})
		if !errors.Is(err, gate.Unauthenticated) {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}
