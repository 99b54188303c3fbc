package gate_test

import (
	"context"
	"crypto/rand"
	"errors"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

// Revocation is linearizable: every history that clients see is one that a single register for each
// key could have given, and no use that was invoked after a restricting call returned succeeds.

var background = context.Background()

// asked is one operation of a history.
type asked struct {
	key int
	op  string
}

// register is the state of one key as its users can tell it. Old says that version 1 is not the
// primary; headless, that nothing is, because version 1 was compromised while the key was disabled.
type register struct{ disabled, compromised, old, headless bool }

// step is the specification of one key.
func (r register) step(op, answer string) (bool, register) {
	next := r
	want := "ok"
	switch op {
	case "encrypt":
		switch {
		case r.disabled:
			want = "disabled"
		case r.headless:
			want = "compromised"
		}
	case "rotate":
		if r.disabled {
			want = "disabled"
		} else {
			next.old, next.headless = true, false
		}
	case "decrypt": // of version 1
		switch {
		case r.disabled:
			want = "disabled"
		case r.compromised:
			want = "compromised"
		}
	case "disable":
		next.disabled = true
	case "enable":
		next.disabled = false
	case "compromise": // version 1
		if r.compromised {
			want = "compromised"
		} else {
			next = register{disabled: r.disabled, compromised: true, old: r.old || !r.disabled, headless: !r.old && r.disabled}
		}
	}
	return answer == want, next
}

var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[int][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(asked).key
			byKey[k] = append(byKey[k], o)
		}
		var out [][]porcupine.Operation
		for _, h := range byKey {
			out = append(out, h)
		}
		return out
	},
	Init: func() any { return register{} },
	Step: func(state, input, output any) (bool, any) {
		ok, next := state.(register).step(input.(asked).op, output.(string))
		return ok, next
	},
}

// outcome is an error in the register's words. What was contended was not done.
func outcome(err error) string {
	var e *gate.Error
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &e):
		return err.Error()
	case e.Code == gate.InvalidState:
		return e.Reason
	case e.Code == gate.Unavailable || e.Code == gate.NoSpace:
		return "unknown"
	}
	return e.Code.String()
}

// race is clients at work on a few keys.
type race struct {
	*gatetest.World
	keys        []string
	ciphertexts [][]byte
	moment      atomic.Int64

	mu      sync.Mutex
	history []porcupine.Operation
	answers map[gate.ID]string // by request
}

func newRace(w *gatetest.World, n int) *race {
	r := &race{World: w, answers: map[gate.ID]string{}}
	for range n {
		k, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "contended", Type: keys.Data})
		if err != nil {
			w.Fatal(err)
		}
		c, err := w.KeyManager().Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("kept")})
		if err != nil {
			w.Fatal(err)
		}
		r.keys, r.ciphertexts = append(r.keys, k.ID), append(r.ciphertexts, c.Ciphertext)
	}
	return r
}

var operationOf = map[string]*gate.Operation{
	"encrypt": gate.Encrypt, "decrypt": gate.Decrypt, "rotate": gate.RotateKey, "disable": gate.DisableKey,
	"enable": gate.EnableKey, "compromise": gate.MarkCompromised, "create": gate.CreateKey,
}

// do asks for one operation, notes it, and returns its request id and answer.
func (r *race) do(client int, a asked) (gate.ID, string) {
	called := r.moment.Add(1)
	c, err := r.Gate().Begin(background, operationOf[a.op], gate.Proof{Local: r.Admin})
	if err == nil {
		err = r.run(c, a)
	}
	answer := outcome(err)
	returned := r.moment.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[c.Request()] = answer
	if answer != "contended" && a.op != "create" {
		r.history = append(r.history, porcupine.Operation{ClientId: client, Input: a, Output: answer, Call: called, Return: returned, Metadata: c.Request()})
	}
	return c.Request(), answer
}

func (r *race) run(c *gate.Call, a asked) error {
	var err error
	m, id := r.Manager(), r.keys[a.key]
	switch a.op {
	case "encrypt":
		_, err = m.Encrypt(background, c, keys.EncryptRequest{Key: id, Plaintext: []byte("new")})
	case "decrypt":
		_, err = m.Decrypt(background, c, keys.DecryptRequest{Ciphertext: r.ciphertexts[a.key]})
	case "rotate":
		_, err = m.RotateKey(background, c, keys.RotateRequest{Key: id})
	case "disable":
		_, err = m.DisableKey(background, c, keys.DisableRequest{Key: id})
	case "enable":
		_, err = m.EnableKey(background, c, keys.KeyRequest{Key: id})
	case "compromise":
		_, err = m.MarkCompromised(background, c, keys.CompromiseRequest{Key: id + "@1", Reason: "a test"})
	case "create":
		_, err = m.CreateKey(background, c, keys.CreateRequest{Purpose: "noise", Type: keys.Data})
	}
	return err
}

// start lets clients work, each in a goroutine of its own, until all have asked n times.
func (r *race) start(users, revokers, n int) {
	var wg sync.WaitGroup
	client := func(id int, ops ...string) {
		rng := mrand.New(mrand.NewPCG(uint64(id), 7))
		for range n {
			op := ops[rng.IntN(len(ops))]
			if op == "compromise" && rng.IntN(8) > 0 {
				op = "disable"
			}
			r.do(id, asked{rng.IntN(len(r.keys)), op})
		}
	}
	for i := range users {
		wg.Go(func() { client(i, "encrypt", "decrypt", "decrypt", "encrypt", "decrypt", "create") })
	}
	for i := range revokers {
		wg.Go(func() { client(users+i, "disable", "enable", "enable", "rotate", "compromise") })
	}
	wg.Wait()
}

// check demands that the history is linearizable and that the journal tells it.
func (r *race) check() {
	r.Helper()
	count, allowed := map[gate.ID]int{}, map[gate.ID]bool{}
	for _, e := range r.Records(0) {
		count[e.Request]++
		allowed[e.Request] = e.Outcome == journal.Allowed
	}
	r.learn(allowed)
	if !porcupine.CheckOperations(registers, r.history) {
		r.Error("the history is not linearizable")
	}
	r.neverAfter()
	tally := map[string]int{}
	for request, answer := range r.answers {
		tally[answer]++
		if n := count[request]; n > 1 || n == 0 && answer != "unknown" {
			r.Errorf("request %s was answered %s and has %d records", request, answer, n)
		}
	}
	for _, want := range []string{"ok", "disabled", "compromised"} {
		if tally[want] == 0 {
			r.Errorf("nothing was answered %q: %v", want, tally)
		}
	}
	r.Logf("%d operations: %v; %+v", len(r.answers), tally, r.Gate().Counters())
}

// learn takes from the journal what a caller could not know: an operation of unknown outcome was
// done if it is recorded, and else did nothing.
func (r *race) learn(allowed map[gate.ID]bool) {
	var known []porcupine.Operation
	for _, o := range r.history {
		if o.Output == "unknown" && allowed[o.Metadata.(gate.ID)] {
			o.Output = "ok"
		}
		if o.Output != "unknown" {
			known = append(known, o)
		}
	}
	r.history = known
}

// neverAfter checks the rule itself, without the model: a use that was invoked after a restricting
// call returned succeeds only if something gave the right back that was not over before.
func (r *race) neverAfter() {
	r.Helper()
	for _, revoke := range r.history {
		op, k := revoke.Input.(asked).op, revoke.Input.(asked).key
		if revoke.Output != "ok" || op != "disable" && op != "compromise" {
			continue
		}
		for _, use := range r.history {
			of := use.Input.(asked)
			if of.key != k || use.Output != "ok" || use.Call <= revoke.Return || of.op != "decrypt" && of.op != "encrypt" {
				continue
			}
			if op == "compromise" && of.op == "decrypt" {
				r.Errorf("key %d: version 1 was used at %d, compromised since %d", k, use.Call, revoke.Return)
			}
			given := slices.ContainsFunc(r.history, func(o porcupine.Operation) bool {
				return o.Input == asked{k, "enable"} && o.Return > revoke.Call && o.Call < use.Return
			})
			if op == "disable" && !given {
				r.Errorf("key %d: used at %d, disabled since %d and never enabled", k, use.Call, revoke.Return)
			}
		}
	}
}

// onDisk makes a World's store the embedded one, on a simulated disk.
func onDisk(t testing.TB) func(*haven.Config) {
	return func(cfg *haven.Config) {
		s, err := embedded.Open(background, embedded.Config{FS: disk.NewSim(), Rand: rand.Reader, LowSpace: -1, Reserve: -1, SegmentSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		cfg.Store = s
	}
}

func scaled(n int) int {
	if raceDetector {
		return max(1, n/8)
	}
	return n
}

func TestLinearizable(t *testing.T) {
	for name, config := range map[string]func(*haven.Config){"memory": func(*haven.Config) {}, "embedded": onDisk(t)} {
		t.Run(name, func(t *testing.T) {
			r := newRace(gatetest.New(t, config), 6)
			r.start(4, 3, scaled(800))
			r.check()
			r.End()
		})
	}
}

// TestLinearizableWithFaults lets the store fail in every way it may, again and again, while
// clients are at work.
func TestLinearizableWithFaults(t *testing.T) {
	var faulty *storetest.Faulty
	w := gatetest.New(t, func(cfg *haven.Config) {
		faulty = storetest.NewFaulty(memory.New(1))
		cfg.Store = faulty
	})
	r := newRace(w, 4)
	rng := mrand.New(mrand.NewPCG(3, 3))
	ways := []struct {
		written bool
		err     error
	}{{false, store.ErrUncertain}, {true, store.ErrUncertain}, {false, store.ErrUnavailable}, {false, store.ErrNoSpace}}
	at := 0
	for range scaled(400) {
		at += 1 + rng.IntN(12)
		way := ways[rng.IntN(len(ways))]
		for range 1 + rng.IntN(4) { // four in a row are more than the gate repeats
			faulty.FailCommit(at, way.written, way.err)
			at++
		}
	}
	r.start(4, 3, scaled(500))
	for faulty.Commits() < at { // the rest of the plan
		r.do(0, asked{0, "encrypt"})
	}
	r.check()
}
