package gate_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// TestStoreThatHangs: what is under way waits; once that lasts too long, every call is refused at
// once. When the store returns, what waited is done, service goes on, and the journal tells how many
// calls were refused.
func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails where a call is not answered
		w, faulty := withFaults(t)
		r := newRace(w, 1)
		defer w.End()
		from := w.Position()
		reached, release := faulty.Hang()
		waiting := make(chan error, 1)
		go func() {
			_, err := w.KeyManager().Encrypt(background, keys.EncryptRequest{Key: r.keys[0], Plaintext: []byte("x")})
			waiting <- err
		}()
		<-reached
		w.Clock.Advance(gate.MaxStoreWait)
		if w.Gate().Stalled() {
			t.Error("stalled before the time is over")
		}
		w.Clock.Advance(1)
		if !w.Gate().Stalled() || !w.Alarms().Stalled {
			t.Error("not stalled")
		}
		refused := w.Gate().Counters().Refused
		for _, op := range []string{"encrypt", "disable", "create"} {
			if _, answer := r.do(0, asked{0, op}); answer != "unknown" {
				t.Errorf("%s was answered %s", op, answer)
			}
		}
		c, err := w.Gate().Begin(background, gate.Encrypt, gate.Proof{Local: w.Admin})
		if !errors.Is(err, gate.Unavailable) || c.Request().IsZero() {
			t.Errorf("a call began: %v", err)
		}
		if n := w.Gate().Counters().Refused - refused; n != 4 {
			t.Errorf("%d of 4 refusals were counted", n)
		}
		release()
		if err := <-waiting; err != nil {
			t.Errorf("what was under way: %v", err)
		}
		synctest.Wait()
		if w.Gate().Stalled() {
			t.Error("still stalled")
		}
		r.must("encrypt")
		var told []string
		for _, e := range w.Records(from) {
			if e.Operation == gate.Unanswered.Number {
				told = append(told, e.Parameters)
			}
		}
		if len(told) != 1 || told[0] != "count=4" {
			t.Errorf("the journal tells of %q", told)
		}
	})
}
