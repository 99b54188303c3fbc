package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

// catchUp finds out what became of the changes that were not answered before the crash, and
// compares every key that was under change with the server. It returns errStopped when the server
// ends meanwhile, or its disk fails: then the next cycle goes on.
func (r *round) catchUp(p *process) error {
	c, err := newCaller(p.cfg, r, rand.New(rand.NewPCG(r.rng.Uint64(), 0)))
	if err != nil {
		return err
	}
	defer func() { r.history = append(r.history, c.calls...) }()
	defer c.api.Close()
	for len(r.world.pending) > 0 {
		doc, line, answered := c.create(r.world.pending[0])
		if !answered || refusesAll(line.code) {
			return errStopped
		}
		if doc == nil {
			return fmt.Errorf("crashtest: create-key, repeated after a crash, was refused: %s", line.code)
		}
		r.world.pending = r.world.pending[1:]
		r.world.add(line.key, r.rng.IntN(managers))
	}
	for _, k := range r.world.keys {
		if !k.touched {
			continue
		}
		if err := r.look(c, k); err != nil {
			return err
		}
	}
	return nil
}

// sight is what the server shows of a key.
type sight struct {
	doc      *client.Key
	versions []client.Version
	at       time.Duration
}

func (r *round) sight(c *caller, k *key) (s sight, ok bool) {
	ctx := context.Background()
	line, _ := c.do(call{op: gate.DescribeKey, key: k.id}, func() (err error) {
		s.doc, err = c.api.DescribeKey(ctx, k.id.String())
		return err
	})
	if !line.done() {
		return s, r.missing(k, line)
	}
	s.at = line.answered
	line, _ = c.do(call{op: gate.ListKeyVersions, key: k.id}, func() error {
		page, err := c.api.ListKeyVersions(ctx, client.ListKeyVersionsRequest{Key: k.id.String()})
		if err == nil {
			s.versions = page.Versions
		}
		return err
	})
	if !line.done() {
		return s, r.missing(k, line)
	}
	return s, true
}

// missing notes a key that the server does not show. It is not missing when the server ended.
func (r *round) missing(k *key, line *call) bool {
	if line.answered != 0 && !refusesAll(line.code) {
		r.suspect(k.id)
		r.violated("write", "key %s is not shown: %s answered %s", k.id, line.op.Name, line.code)
	}
	return false
}

// refusesAll tells whether a refusal is not about the call, but about the server's disk.
func refusesAll(code client.Code) bool {
	return code == client.Unavailable || code == client.NoSpace
}

// fits tells whether what is shown is a life.
func (s *sight) fits(l life) bool {
	if s.doc.Enabled != l.usable() || s.doc.DeletionDate.IsZero() == l.deleting ||
		s.doc.Version != l.primary || len(s.versions) != len(l.versions) {
		return false
	}
	for i, v := range s.versions { // newest first
		if n := len(l.versions) - i; int(v.Version) != n || v.State != l.versions[n-1] {
			return false
		}
	}
	return true
}

func (s *sight) String() string {
	text := fmt.Sprintf("primary %d, enabled %v, deletion date %v, versions", s.doc.Version, s.doc.Enabled, s.doc.DeletionDate)
	for i := len(s.versions) - 1; i >= 0; i-- {
		text += " " + string(s.versions[i].State)
	}
	return text
}

// look compares a key with the server. A change that was never answered was made or not; half of
// them are repeated with their idempotency key, and must then have been made once.
func (r *round) look(c *caller, k *key) error {
	s, ok := r.sight(c, k)
	if !ok {
		return errStopped
	}
	a := k.pending
	switch {
	case a == nil && s.fits(k.life):
		k.seenStopped(s.at)
		k.touched = false
	case a == nil:
		r.suspect(k.id)
		r.violated("write", "key %s is not as its last acknowledged change left it: it has %s; expected %+v", k.id, &s, k.life)
		k.touched = false
	case !s.fits(k.life) && !s.fits(k.life.after(a.change)):
		r.suspect(k.id)
		r.violated("write", "key %s is neither as before %s nor as after: it has %s; before %+v", k.id, a.change, &s, k.life)
		r.settled(k)
	case r.rng.IntN(2) == 0:
		if !r.change(c, k, a) {
			return errStopped
		}
		return r.look(c, k)
	case s.fits(k.life.after(a.change)):
		r.settled(k)
		k.acknowledged(a.change, s.at)
	default:
		r.settled(k)
		k.seenStopped(s.at)
	}
	return nil
}
