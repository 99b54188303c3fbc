package keys_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/haven-health/haven/gate/gatetest"
)

// sequences is how many random sequences run: HAVEN_SEQUENCES, or a number for every day.
func sequences(t *testing.T) int {
	text := os.Getenv("HAVEN_SEQUENCES")
	if text == "" {
		if raceDetector {
			return 100
		}
		return 600
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HAVEN_SEQUENCES is %q", text)
	}
	return n
}

var sequenceOps = []string{
	"encrypt", "encrypt", "decrypt", "decrypt", "rotate", "rotate", "rotate", "deprecate", "deprecate", "deprecate", "deprecate", "compromise",
	"disable", "disable", "enable", "enable", "restore", "restore", "restore", "update", "schedule", "schedule", "cancel", "cancel",
}

// TestSequences asks a master key and a key under it random things at random times. After each,
// the answer and all that both keys show must be the model's.
func TestSequences(t *testing.T) {
	total := sequences(t)
	var mu sync.Mutex
	passed := map[string]int{}
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range seeds {
				for op, n := range sequence(t, seed) {
					mu.Lock()
					passed[op] += n
					mu.Unlock()
				}
			}
		})
	}
	for seed := range uint64(total) {
		if t.Failed() {
			break
		}
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
	for _, op := range sequenceOps {
		if passed[op] < total/40 && !t.Failed() {
			t.Errorf("%q passed only %d times in %d sequences", op, passed[op], total)
		}
	}
	t.Log(passed)
}

// sequence runs one and returns how often each operation passed.
func sequence(t *testing.T, seed uint64) map[string]int {
	r := newRig(gatetest.New(t))
	defer r.End()
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...int) int { return list[rng.IntN(len(list))] }
	master := &modelKey{rotation: pick(0, 0, 90), graceDays: pick(0, 30), lifetime: pick(0, 120)}
	data := &modelKey{master: master, rotation: pick(0, 30, 90), graceDays: pick(0, 1, 30), lifetime: pick(0, 0, 40, 120)}
	master.children = []*modelKey{data}
	models := []*modelKey{master, data}
	master.make(r.day)
	real := []*realKey{r.create(master, "")}
	data.make(r.day)
	real = append(real, r.create(data, real[0].id))

	passed := map[string]int{}
	var told string
	for range 14 {
		if days := pick(0, 0, 0, 0, 0, 1, 6, 7, 29, 30, 31, 90); days > 0 {
			r.pass(days)
			told += fmt.Sprintf(" +%dd", days)
		}
		which := pick(0, 1, 1, 1)
		m, k := models[which], real[which]
		e := randomEvent(rng, m)
		told += fmt.Sprintf(" %d:%+v", which, e)
		want := m.do(e, r.day)
		if got := answer(r.do(k, e)); got != want {
			t.Errorf("seed %d: %+v, %+v:%s: %s, want %s", seed, *master, *data, told, got, want)
			return passed
		}
		if want == "ok" {
			passed[e.op]++
		}
		if err := r.Rewrap(background); err != nil {
			t.Errorf("seed %d:%s: re-wrapping: %v", seed, told, err)
		}
		master.rewrap(r.day)
		for i := range models {
			if err := r.same(real[i], models[i]); err != nil {
				t.Errorf("seed %d:%s: key %d: %v", seed, told, i, err)
				return passed
			}
		}
		if err := r.wrapped(real[0], real[1], data); err != nil {
			t.Errorf("seed %d:%s: %v", seed, told, err)
			return passed
		}
		for i, m := range models {
			r.keep(real[i], len(m.versions))
		}
	}
	return passed
}

// randomEvent asks anything, but what can pass more often than chance would.
func randomEvent(rng *rand.Rand, m *modelKey) event {
	pick := func(list ...int) int { return list[rng.IntN(len(list))] }
	versions := len(m.versions)
	e := event{op: sequenceOps[rng.IntN(len(sequenceOps))], version: pick(0, 0, 1+rng.IntN(versions+1), versions)}
	if m.deletion != never && rng.IntN(2) == 0 {
		return event{op: "cancel"}
	}
	switch e.op {
	case "decrypt":
		e.version = 1 + rng.IntN(versions)
	case "deprecate":
		e.version = max(1, versions-pick(0, 1, 1, 2))
	case "compromise":
		e.version = pick(e.version, 1+rng.IntN(versions))
		e.replace = e.version != 0 && rng.IntN(3) > 0
	case "schedule":
		e.days = pick(0, 6, 7, 7, 30, 31)
	case "restore":
		e.version = 1 + rng.IntN(versions)
	case "disable":
		e.version, e.days = 0, pick(0, 1, 7, 30)
	case "enable", "update":
		e.version = 0
	}
	return e
}
