package rotation_test

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

// extent is how much is simulated: years, and keys on the store in memory and on the embedded one, as
// HAVEN_YEARS says (10,10000,500), or a part of it.
func extent(t *testing.T) (years, inMemory, onDisk int) {
	years, inMemory, onDisk = 2, 120, 12
	if text := os.Getenv("HAVEN_YEARS"); text != "" {
		if _, err := fmt.Sscanf(text, "%d,%d,%d", &years, &inMemory, &onDisk); err != nil {
			t.Fatalf("HAVEN_YEARS=%s: %v", text, err)
		}
	}
	return years, inMemory, onDisk
}

// seed is drawn by HAVEN_SEED, or by chance.
func seed(t *testing.T) uint64 {
	n := rand.Uint64()
	if text := os.Getenv("HAVEN_SEED"); text != "" {
		n, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("HAVEN_SEED=%d", n)
	return n
}

// TestYears: years of daily checks by several schedulers at once, that are killed at random and do nothing
// for a month, over keys of many policies. Of keys that nobody touches each version is what an
// independent reckoning of the same days says; of all, each due thing was done once, and no version went
// back. What is due is done by the end of every day's check.
func TestYears(t *testing.T) {
	years, inMemory, onDisk := extent(t)
	for _, c := range []struct {
		name string
		keys int
		open func(*testing.T) store.Store
	}{
		{"memory", inMemory, func(*testing.T) store.Store { return memory.New(1) }},
		{"embedded", onDisk, func(t *testing.T) store.Store {
			s, err := embedded.Open(background, embedded.Config{FS: disk.NewSim(), Rand: cryptorand.Reader})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			faulty := storetest.NewFaulty(c.open(t))
			s := &simulation{
				world:  newWorld(t, func(cfg *haven.Config) { cfg.Store = faulty }),
				faulty: faulty, rng: rand.New(rand.NewPCG(seed(t), 1)),
			}
			s.furnish(c.keys)
			s.live(years * 365)
			s.reckon()
			s.once()
			t.Logf("%d keys, %d versions, %d checks, %d of them killed; %d records", c.keys, s.versions, len(s.checks), s.killed, s.Position())
		})
	}
}

// simulation is the years of some keys.
type simulation struct {
	*world
	faulty *storetest.Faulty
	rng    *rand.Rand

	quiet   []policy // keys that nobody touches
	touched []string
	// checks are the times of the checks that ended.
	checks   []time.Time
	killed   int
	versions int
}

// policy is a key and its periods, in days.
type policy struct {
	key                       string
	created                   time.Time
	rotation, grace, lifetime int
}

func (s *simulation) furnish(n int) {
	for range n {
		p := policy{
			rotation: []int{30, 90, 90, 90, 365, 0, 10}[s.rng.IntN(7)],
			grace:    []int{30, 30, 7, 0}[s.rng.IntN(4)],
			lifetime: []int{0, 0, 200, 400}[s.rng.IntN(4)],
		}
		days := func(n int) keys.Days {
			if n == 0 {
				return keys.Never
			}
			return keys.Days(n)
		}
		k, err := s.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "test", Type: keys.Data,
			RotationDays: days(p.rotation), GraceDays: days(p.grace), LifetimeDays: days(p.lifetime)})
		s.must(err)
		p.key, p.created = k.ID, s.Clock.Wall()
		if s.rng.IntN(4) == 0 {
			s.touched = append(s.touched, k.ID)
		} else {
			s.quiet = append(s.quiet, p)
		}
		s.Clock.Advance(time.Duration(s.rng.IntN(60)) * time.Second)
	}
	s.Clock.Advance(time.Minute)
}

// live lets days pass.
func (s *simulation) live(days int) {
	for d := 0; d < days; d++ {
		if d == days/2 { // nobody ran for a month
			s.Clock.Advance(30 * day)
			d += 30
		}
		s.Clock.Advance(day)
		for range len(s.touched) / 50 {
			s.touch(s.touched[s.rng.IntN(len(s.touched))])
		}
		s.day()
	}
}

// day makes the day's check by several schedulers, some of which are killed, until one ends it.
func (s *simulation) day() {
	s.Helper()
	for {
		if s.rng.IntN(20) == 0 {
			err := []error{store.ErrUnavailable, store.ErrUncertain}[s.rng.IntN(2)]
			s.faulty.FailCommit(1+s.rng.IntN(4), errors.Is(err, store.ErrUncertain) && s.rng.IntN(2) == 0, err)
		}
		var group sync.WaitGroup
		failed := make(chan error, 5)
		for range 2 + s.rng.IntN(4) {
			ctx := background
			if s.rng.IntN(40) == 0 {
				var stop context.CancelFunc
				ctx, stop = context.WithCancel(ctx)
				stop()
			}
			group.Go(func() {
				if _, err := s.Scheduler().Scheduled(ctx, gate.Proof{Local: s.Admin}); err != nil {
					failed <- err
				}
			})
		}
		group.Wait()
		if len(failed) == 0 {
			break
		}
		if err := <-failed; !errors.Is(err, gate.Unavailable) && !errors.Is(err, context.Canceled) {
			s.Fatalf("a check: %v", err)
		}
		s.killed++
		s.restart()
	}
	s.faulty.Heal()
	s.checks = append(s.checks, s.Clock.Wall())
	left, err := s.RotationScheduler().CheckRotation(background, rotation.CheckRequest{DryRun: true, Limit: 1})
	s.must(err)
	if len(left.Due) > 0 {
		s.Errorf("after the check of %v: due %+v", s.Clock.Wall(), left.Due[0])
	}
}

// restart opens the store again, however often a fault that was planned keeps it from that.
func (s *simulation) restart() {
	s.Helper()
	s.World.Close()
	for {
		if err := s.TryReopen(); err == nil {
			return
		} else if !errors.Is(err, gate.Unavailable) {
			s.Fatal(err)
		}
	}
}

// touch does something to a key.
func (s *simulation) touch(key string) {
	km := s.KeyManager()
	var err error
	switch s.rng.IntN(8) {
	case 0:
		_, err = km.DisableKey(background, key)
	case 1:
		_, err = km.DisableKeyFor(background, key, time.Duration(1+s.rng.IntN(29))*day)
	case 2, 3:
		_, err = km.EnableKey(background, key)
	case 4:
		_, err = km.RotateKey(background, key)
	case 5:
		_, err = km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: key, Days: 7 + s.rng.IntN(23)})
	case 6:
		_, err = km.CancelKeyDeletion(background, key)
	case 7:
		_, err = km.MarkCompromised(background, keys.CompromiseRequest{Key: fmt.Sprintf("%s@%d", key, 1+s.rng.IntN(3)), Reason: "test"})
	}
	if err != nil && !errors.Is(err, gate.InvalidState) && !errors.Is(err, gate.NotFound) && !errors.Is(err, gate.Unavailable) && !errors.Is(err, gate.InvalidRequest) {
		s.Fatalf("touching: %v", err)
	}
}

// first is the time of the first check from a moment on; false if there was none.
func (s *simulation) first(moment time.Time) (time.Time, bool) {
	for _, at := range s.checks[s.after(moment):] {
		return at, true
	}
	return time.Time{}, false
}

func (s *simulation) after(moment time.Time) int {
	low, high := 0, len(s.checks)
	for low < high {
		if middle := (low + high) / 2; s.checks[middle].Before(moment) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// reckon compares each version of a quiet key with what its policy makes of the checks' times.
func (s *simulation) reckon() {
	for _, p := range s.quiet {
		want := s.reckoned(p)
		s.versions += len(want)
		got := map[int]keys.Version{}
		for req := (keys.ListVersionsRequest{Key: p.key, Limit: 100}); ; {
			page, err := s.KeyManager().ListKeyVersions(background, req)
			s.must(err)
			for _, v := range page.Versions {
				got[int(v.Version)] = v
			}
			if req.Cursor = page.NextCursor; req.Cursor == "" {
				break
			}
		}
		for i, w := range want {
			v := got[i+1]
			if v.State.String() != w.state || !v.CreatedAt.Equal(w.created) {
				s.Errorf("rotation %d, grace %d, lifetime %d: version %d is %s, made %v; want %s, %v", p.rotation, p.grace, p.lifetime, i+1, v.State, v.CreatedAt, w.state, w.created)
			}
		}
		if len(got) != len(want) {
			s.Errorf("rotation %d: %d versions, want %d", p.rotation, len(got), len(want))
		}
	}
}

type reckoned struct {
	created time.Time
	state   string
}

// reckoned is what becomes of a key: each thing is done by the first check from its time on.
func (s *simulation) reckoned(p policy) (out []reckoned) {
	created := p.created
	for {
		v := reckoned{created, "active"}
		rotated, ok := time.Time{}, false
		if p.rotation > 0 {
			early := min(7*day, time.Duration(p.rotation)*day/2)
			rotated, ok = s.first(created.Add(time.Duration(p.rotation)*day - early))
		}
		if !ok {
			return append(out, v)
		}
		v.state = s.fate(p, created, rotated)
		out = append(out, v)
		created = rotated
	}
}

// fate is what became of a version that was replaced.
func (s *simulation) fate(p policy, created, rotated time.Time) string {
	end := created.Add(time.Duration(p.lifetime) * day)
	graceEnds := rotated.Add(time.Duration(p.grace) * day)
	if p.lifetime > 0 && end.Before(graceEnds) {
		graceEnds = end
	}
	deprecated, ok := rotated, true
	if graceEnds.After(rotated) {
		deprecated, ok = s.first(graceEnds)
	}
	if !ok {
		return "rotating"
	}
	if p.lifetime == 0 {
		return "deprecated"
	}
	if end.Before(deprecated) {
		end = deprecated
	}
	expired, ok := s.first(end)
	if !ok {
		return "deprecated"
	}
	if _, ok := s.first(expired.Add(30 * day)); !ok {
		return "expired"
	}
	return "destroyed"
}

// once reads the journal: each due thing was done once, and no version went back.
func (s *simulation) once() {
	order := map[string]int{"deprecated": 1, "expired": 2, "compromised": 3, "destroyed": 4}
	stage, made := map[string]int{}, map[string]bool{}
	for _, e := range s.Records(0) {
		if len(e.Changes) == 0 || e.Outcome != journal.Allowed {
			continue
		}
		of := fmt.Sprintf("%x@%d", e.Key, e.Version)
		state := ""
		switch e.Operation {
		case gate.RotateDue.Number:
			if made[of] {
				s.Errorf("%s was made twice", of)
			}
			made[of] = true
		case gate.AdvanceVersion.Number:
			_, state, _ = strings.Cut(e.Parameters, "state=")
		case gate.DestroyDue.Number:
			if e.Version != 0 {
				state = "destroyed"
			}
		}
		if state == "" {
			continue
		}
		if next := order[state]; next <= stage[of] {
			s.Errorf("%s: %s after stage %d", of, state, stage[of])
		} else {
			stage[of] = next
		}
	}
}
