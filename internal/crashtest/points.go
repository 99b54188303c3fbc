package crashtest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ofRotations begins the names of the places that only [RunRotations] reaches: it names them itself.
const ofRotations = "keys:rewrap-"

// Points finds the named places in the source below a folder, so that one that is added is killed
// at without anybody naming it again; those of [RunRotations] it leaves out.
func Points(root string) ([]string, error) {
	point := regexp.MustCompile(`fault\.Point\("([^"]+)"\)`)
	var found []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, match := range point.FindAllSubmatch(source, -1) {
			if name := string(match[1]); !strings.HasPrefix(name, ofRotations) {
				found = append(found, name)
			}
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errors.New("crashtest: no fault points below " + root)
	}
	slices.Sort(found)
	return slices.Compact(found), err
}

// plan decides how the cycles end.
type plan struct {
	rng    *rand.Rand
	points []string
	next   int
	// reach is, by point, the highest passage that may be asked for: it falls when a process did
	// not get there.
	reach map[string]int
	// missing counts how often a process did not get to the first passage of a point although it
	// had filled segments; after hopeless times no more time is spent on it.
	missing map[string]int
}

const hopeless = 3

// maxPassage bounds at which passage of a point a process is killed.
const maxPassage = 400

func newPlan(points []string, rng *rand.Rand) *plan {
	p := &plan{rng: rng, points: slices.Clone(points), reach: map[string]int{}, missing: map[string]int{}}
	rng.Shuffle(len(p.points), func(i, j int) { p.points[i], p.points[j] = p.points[j], p.points[i] })
	for _, name := range points {
		p.reach[name] = maxPassage
	}
	return p
}

// ending is how one cycle ends: at a passage of a point, or at a random moment.
type ending struct {
	point   string // "" when at a random moment
	passage int
	paused  bool // held by SIGSTOP for a while before
	heavy   bool // with so many records that segments fill up
	// early is after how long the start is cut short; 0: it is not.
	early time.Duration
}

// ending draws one. Every point has its turn.
func (p *plan) ending() ending {
	e := ending{paused: p.rng.IntN(5) == 0}
	if len(p.points) == 0 || p.rng.IntN(3) == 0 {
		if p.rng.IntN(6) == 0 {
			e.early = time.Duration(1 + p.rng.Int64N(int64(100*time.Millisecond)))
		}
		return e
	}
	e.point = p.points[p.next%len(p.points)]
	p.next++
	reach := p.reach[e.point]
	e.heavy = reach == 1 && p.missing[e.point] < hopeless
	// Of every order of magnitude alike.
	e.passage = 1
	for limit := reach; limit > 1 && p.rng.IntN(4) != 0; limit /= 4 {
		e.passage *= 1 + p.rng.IntN(4)
	}
	e.passage = min(e.passage, reach)
	return e
}

// missed notes that a process did not get where it should have been killed.
func (p *plan) missed(e ending) {
	if e.point == "" {
		return
	}
	p.reach[e.point] = max(1, e.passage/16)
	if e.heavy {
		p.missing[e.point]++
	}
}

// variable is the value of HAVEN_FAULT_POINT.
func (e ending) variable() string {
	if e.point == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", e.point, e.passage)
}
