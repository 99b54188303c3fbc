package keys

import (
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// destroyDue destroys the version named, or the key as a whole, at its deletion date. The material of
// a destroyed version is gone with the commit; its public half and its check value stay.
func (e *edit) destroyDue() error {
	if e.named == 0 {
		return e.destroyKey()
	}
	v, err := e.version(e.named)
	if err != nil {
		return err
	}
	life, err := lifecycle.DestroyVersion(e.body.Life, v.body.Life, e.now)
	if notDue(err) {
		e.idle = true
		return nil
	}
	if err != nil {
		return e.refused(err)
	}
	e.out.Stops = append(e.out.Stops, gate.Stop{Ref: v.item.Ref, What: gate.Destroyed})
	return e.erase(v, life)
}

// destroyKey destroys every version at once by a mark on the key, and erases the material of a page of
// them, the newest first. The key stays due while there are more.
func (e *edit) destroyKey() error {
	if !e.body.Life.Destroyed {
		if err := e.wrapsNothing(); err != nil {
			return err
		}
		life, err := lifecycle.DestroyKey(e.body.Life, e.now)
		if notDue(err) {
			e.idle = true
			return nil
		}
		if err != nil {
			return e.refused(err)
		}
		e.body.Life = life
		e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.Destroyed})
	}
	versions, more, err := e.versionsThat(func(v *versionBody) bool { return v.Life.State != lifecycle.Destroyed })
	if err != nil {
		return err
	}
	for _, n := range versions {
		v, err := e.version(n)
		if err != nil {
			return err
		}
		life := v.body.Life
		life.Wraps = false // nothing is left that it wraps
		if life, err = lifecycle.DestroyVersion(e.body.Life, life, e.now); err != nil {
			return e.refused(err)
		}
		if err := e.erase(v, life); err != nil {
			return err
		}
	}
	e.body.Erasing = more
	e.out.Parameters = fmt.Sprintf("versions=%d", len(versions))
	return nil
}

// wrapsNothing refuses to destroy a master key that still wraps something. Since it is pending deletion
// nobody puts anything under it.
func (e *edit) wrapsNothing() error {
	if e.body.Type != Master {
		return nil
	}
	all, _, err := e.m.ring.countKey(e.ctx, e.id, &e.body.Life)
	if err == nil && all.Count > 0 {
		err = e.refused(&lifecycle.Refusal{Reason: lifecycle.ReasonWraps})
	}
	return err
}

// notDue tells whether nothing is to be destroyed: its date was taken back meanwhile, has not come, or
// somebody else was first.
func notDue(err error) bool {
	var r *lifecycle.Refusal
	return errors.As(err, &r) && (r.Reason == lifecycle.ReasonNotDue || r.Reason == lifecycle.ReasonNotPendingDeletion || r.Reason == lifecycle.ReasonDestroyed)
}
