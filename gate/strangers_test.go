package gate_test

import (
	"errors"
	"fmt"
	"net/netip"
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
	behind(w)
	if each, _ := counted(w); len(each) != 1 || each[0] != 1 {
		t.Errorf("samples of %v calls, want the first alone", each)
	}
	w.Clock.Advance(gate.StrangersEvery - 1)
	knock(w, 1)
	behind(w)
	if each, _ := counted(w); len(each) != 1 {
		t.Errorf("samples of %v calls before ten seconds are over", each)
	}
	w.Clock.Step(-time.Hour) // the wall clock does not matter
	w.Clock.Advance(1)
	knock(w, 1)
	behind(w)
	if each, sum := counted(w); len(each) != 2 || sum != 7 {
		t.Errorf("samples of %v calls, want two of 7", each)
	}
	knock(w, 499)
	w.Gate().RecordStrangers() // as a server does every ten seconds
	w.Gate().RecordStrangers() // nothing is left
	behind(w)
	want := []string{"operation=encrypt;count=1", "operation=encrypt;count=6", "operation=encrypt;count=499"}
	if got := samples(w); !slices.Equal(got, want) {
		t.Errorf("samples %q, want %q", got, want)
	}
	knock(w, 3)
	w.Reopen() // closing records what is left
	if _, sum := counted(w); sum != 509 {
		t.Errorf("%d calls in the samples, want 509", sum)
	}
}

// TestSamplesAreNotMixed: calls that prove nobody and calls over a rate have counts and records of
// their own. The record of the latter says whose they were, if they were all one principal's; no
// other record names anybody.
func TestSamplesAreNotMixed(t *testing.T) {
	w := gatetest.New(t)
	clerk, token := w.Principal("clerk", false)
	limit := func(proof gate.Proof, n int) {
		t.Helper()
		for range n {
			c, err := w.Gate().Begin(background, gate.Encrypt, proof)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Gate().Limit(c); !errors.Is(err, gate.RateLimited) {
				t.Fatal(err)
			}
		}
	}
	admin := gate.Proof{Local: w.Admin, Source: netip.MustParseAddr("192.0.2.1")}
	others := gate.Proof{Bearer: token, Source: netip.MustParseAddr("192.0.2.2")}
	from := w.Position()
	limit(admin, 1) // recorded at once, as the first stranger is
	knock(w, 5)
	limit(admin, 3)
	w.Gate().RecordStrangers()
	limit(admin, 2)
	limit(others, 1)
	w.Gate().RecordStrangers()
	limit(others, 1)
	w.Gate().RecordStrangers()
	behind(w)
	var got []string
	for _, e := range w.Records(from) {
		if e.Operation != gate.Unrecognized.Number {
			continue
		}
		who := map[gate.ID]string{w.Admin: "admin", clerk: "clerk", {}: "nobody"}[e.Principal]
		got = append(got, fmt.Sprintf("%s %s %s %s %s", gate.Code(e.Error), who, e.Personal[journal.PrincipalName], e.Personal[journal.SourceAddress], e.Parameters))
	}
	want := []string{
		"rate_limited admin administrator 192.0.2.1 operation=encrypt;count=1",
		"unauthenticated nobody   operation=encrypt;count=1",
		"unauthenticated nobody   operation=encrypt;count=4",
		"rate_limited admin administrator 192.0.2.1 operation=encrypt;count=3",
		"rate_limited nobody   operation=encrypt;count=3",
		"rate_limited clerk clerk 192.0.2.2 operation=encrypt;count=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("samples\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c := w.Gate().Counters(); c.Unauthenticated != 5 || c.RateLimited != 8 {
		t.Errorf("counted %+v", c)
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
	w.Gate().RecordStrangers()
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
