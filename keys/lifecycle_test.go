package keys_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/haven-health/haven/gate/gatetest"
)

// The closure: every state that a key with up to three versions can reach through the Key Manager,
// and every operation asked in each. A step is an operation that passes, or time passing to the
// next deadline.

// situation is a state with the way to it.
type situation struct {
	model *modelKey
	day   int
	path  []event
}

// events returns all that can be asked of a key with so many versions: each operation on the
// whole key, on each version, and on one that does not exist. Untils says that the key is disabled
// for a time, too.
func events(versions int, untils bool) []event {
	var out []event
	for n := range versions + 2 {
		out = append(out,
			event{op: "encrypt", version: n}, event{op: "rotate", version: n}, event{op: "deprecate", version: n},
			event{op: "schedule", version: n, days: 6}, event{op: "schedule", version: n, days: 7}, event{op: "cancel", version: n},
			event{op: "compromise", version: n}, event{op: "restore", version: n})
		if n > 0 {
			out = append(out, event{op: "compromise", version: n, replace: true})
		}
		if n > 0 && n <= versions {
			out = append(out, event{op: "decrypt", version: n})
		}
	}
	if untils {
		out = append(out, event{op: "disable", days: 10})
	}
	return append(out, event{op: "disable"}, event{op: "enable"}, event{op: "update"})
}

// shape is what of a state decides what may follow: of a deadline, whether it stands.
func (k *modelKey) shape(today int) string {
	var b strings.Builder
	deadline := func(day int) {
		switch {
		case day == never:
			b.WriteByte('-')
		case day > today:
			b.WriteByte('+')
		default:
			b.WriteByte('!')
		}
	}
	fmt.Fprint(&b, k.primary, k.disabled, k.through)
	deadline(k.deletion)
	deadline(k.until)
	for i := range k.versions {
		v, s := &k.versions[i], k.recorded(i+1, today)
		fmt.Fprint(&b, " ", s)
		switch s {
		case "active":
			deadline(v.expires)
			deadline(v.life)
		case "rotating":
			deadline(v.life)
		case "deprecated":
			deadline(v.life)
		case "expired":
			fmt.Fprint(&b, v.state == "expired")
			deadline(v.deletion)
		case "compromised":
			deadline(v.deletion)
		}
	}
	return b.String()
}

func TestClosure(t *testing.T) {
	for _, test := range []struct {
		name                      string
		rotation, grace, lifetime int
		untils                    bool
		versions, atLeast         int
	}{
		{"with every deadline", 20, 5, 40, true, 2, 500},
		{"with a cryptoperiod", 20, 5, 0, false, 3, 500},
		{"without grace", 20, 0, 30, false, 2, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if raceDetector {
				test.versions, test.atLeast = 2, min(test.atLeast, 200)
			}
			c := &closure{T: t, versions: test.versions, untils: test.untils, reached: map[string]bool{}}
			c.first = modelKey{master: masterModel(), rotation: test.rotation, graceDays: test.grace, lifetime: test.lifetime}
			m := c.first.clone()
			m.make(1)
			c.add(situation{model: m, day: 1})
			c.run()
			t.Logf("%d states, %d questions, %d steps", len(c.reached), c.questions, c.steps)
			if len(c.reached) < test.atLeast {
				t.Errorf("only %d states", len(c.reached))
			}
		})
	}
}

func masterModel() *modelKey {
	m := &modelKey{graceDays: 30}
	m.make(1)
	return m
}

type closure struct {
	*testing.T
	first    modelKey // before its first version
	versions int      // the most of them
	untils   bool

	mu               sync.Mutex
	reached          map[string]bool
	todo             []situation
	questions, steps int
}

// add notes a situation that is new and not too large.
func (c *closure) add(s situation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps++
	shape := s.model.shape(s.day)
	if len(s.model.versions) > c.versions || c.reached[shape] {
		return
	}
	c.reached[shape] = true
	c.todo = append(c.todo, s)
}

// run explores level by level, so that every path is a shortest one.
func (c *closure) run() {
	for len(c.todo) > 0 && !c.Failed() {
		level := c.todo
		c.todo = nil
		var wg sync.WaitGroup
		next := make(chan situation)
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for s := range next {
					if !c.Failed() {
						c.explore(s)
					}
				}
			})
		}
		for _, s := range level {
			next <- s
		}
		close(next)
		wg.Wait()
	}
}

// explore asks everything in one situation. What changes nothing serves one key for all of it;
// each step gets a key of its own.
func (c *closure) explore(s situation) {
	r := newRig(gatetest.New(c.T))
	defer r.End()
	k, m := c.reach(r, s)
	var steps []event
	questions := events(len(m.versions), c.untils)
	for _, e := range questions {
		after := m.clone()
		want := after.do(e, r.day)
		uses := e.op == "encrypt" || e.op == "decrypt"
		if len(after.versions) != len(m.versions) || want == "ok" && !uses {
			steps = append(steps, e)
			continue
		}
		if got := answer(r.do(k, e)); got != want {
			c.Errorf("%+v then %+v: %s, want %s", s.path, e, got, want)
		}
	}
	if err := r.same(k, m); err != nil {
		c.Errorf("%+v then what changes nothing: %v", s.path, err)
	}
	if m.next(r.day) != never {
		steps = append(steps, event{op: "time"})
	}
	for i, e := range steps {
		if i > 0 {
			k, m = c.reach(r, s)
		}
		if e.op == "time" {
			r.pass(m.next(r.day) - r.day)
		} else if got, want := answer(r.do(k, e)), m.do(e, r.day); got != want {
			c.Errorf("%+v then %+v: %s, want %s", s.path, e, got, want)
		}
		if err := r.same(k, m); err != nil {
			c.Errorf("%+v then %+v: %v", s.path, e, err)
		}
		c.add(situation{m, r.day, append(slices.Clone(s.path), e)})
	}
	c.mu.Lock()
	c.questions += len(questions)
	c.mu.Unlock()
}

// reach makes a key and goes the way to a situation.
func (c *closure) reach(r *rig, s situation) (*realKey, *modelKey) {
	m := c.first.clone()
	m.make(r.day)
	k := r.create(m, "")
	for _, e := range s.path {
		if e.op == "time" {
			r.pass(m.next(r.day) - r.day)
			continue
		}
		if got, want := answer(r.do(k, e)), m.do(e, r.day); got != want {
			c.Fatalf("%+v: %+v: %s, want %s", s.path, e, got, want)
		}
		r.keep(k, len(m.versions))
	}
	return k, m
}
