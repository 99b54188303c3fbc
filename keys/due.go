package keys

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// Due is something that a deadline asks to be done about a key, or about a version of it.
type Due struct {
	lifecycle.Due
	Key     gate.ID
	Version uint32 // 0: the key as a whole
	ARN     string
	Type    Type
	Alias   string // "alias/NAME"; empty where the key has none
	// revision is that of the item when it was looked at.
	revision uint64
	// ExpiresAt is when the cryptoperiod of a primary that is to be rotated ends.
	ExpiresAt time.Time
}

// Due returns what deadlines ask to be done about a stored key or version, whether or not their time
// has come; nothing about other items. It looks at states only and reads no material.
func (m *Manager) Due(ctx context.Context, item *store.Item) ([]Due, error) {
	r, reading := m.ring, m.gate.Look()
	if item.Kind != store.KindKey && item.Kind != store.KindVersion {
		return nil, nil
	}
	// The caches hold it then for who does what is due; whether that is still so is asked there.
	key, err := r.key(ctx, reading, idOf(item.ID))
	if isNotFound(err) {
		return nil, nil // its key went meanwhile
	}
	if err != nil {
		return nil, err
	}
	due := Due{Key: idOf(item.ID), revision: item.Revision, ARN: key.arn, Type: key.body.Type}
	if names := key.body.aliases(); len(names) > 0 {
		due.Alias = "alias/" + names[0]
	}
	found, err := r.dues(ctx, reading, &key.body, item, &due)
	out := make([]Due, len(found))
	for i := range found {
		out[i] = due
		out[i].Due = found[i]
	}
	return out, err
}

// dues tells what an item of a key asks for, and completes what is told of each.
func (r *Ring) dues(ctx context.Context, reading *gate.Reading, key *keyBody, item *store.Item, due *Due) ([]lifecycle.Due, error) {
	if item.Kind == store.KindKey {
		return r.duesOfKey(ctx, due.Key, key)
	}
	if len(item.ID) != 20 {
		return nil, nil
	}
	due.Version = binary.BigEndian.Uint32([]byte(item.ID[16:]))
	v, err := r.version(ctx, reading, due.Key, due.Version)
	if err != nil {
		return nil, err
	}
	due.ExpiresAt, due.revision = v.body.Life.ExpiresAt, v.item.Revision
	life, _ := lifecycle.AdvanceKey(key.Life, r.cfg.View.Now()) // which is done first, if it is due
	found := lifecycle.Dues(life, v.body.Life)
	for i := range found {
		if found[i].Work == lifecycle.WorkRotate && found[i].Waits == "" {
			found[i].Waits, err = r.masterHinders(ctx, reading, key)
		}
	}
	return found, err
}

// masterHinders says why the master key cannot wrap a new version; "" if it can.
func (r *Ring) masterHinders(ctx context.Context, reading *gate.Reading, key *keyBody) (lifecycle.Reason, error) {
	if key.Master.IsZero() {
		return "", nil
	}
	master, err := r.key(ctx, reading, key.Master)
	if err != nil {
		return "", missingMaster(err)
	}
	life, _ := lifecycle.AdvanceKey(master.body.Life, r.cfg.View.Now())
	switch {
	case life.Status() == lifecycle.PendingDeletion:
		return "master_" + lifecycle.ReasonPendingDeletion, nil
	case life.Status() != lifecycle.Enabled:
		return lifecycle.Reason("master_" + life.Status().String()), nil
	case life.Primary == 0:
		return "master_" + lifecycle.ReasonCompromised, nil
	}
	return "", nil
}

// duesOfKey tells what the key as a whole asks for. A master key is not destroyed while it wraps
// anything.
func (r *Ring) duesOfKey(ctx context.Context, id gate.ID, key *keyBody) ([]lifecycle.Due, error) {
	if key.Erasing {
		return []lifecycle.Due{{Work: lifecycle.WorkDestroy, At: key.Life.DeletionDate}}, nil
	}
	found := lifecycle.DuesOfKey(key.Life)
	if len(found) == 0 || found[0].Work != lifecycle.WorkDestroy || key.Type != Master {
		return found, nil
	}
	all, _, err := r.countKey(ctx, id, &key.Life)
	if all.Count > 0 {
		found[0].Waits = lifecycle.ReasonWraps
	}
	return found, err
}

// settling is how each work is done: the operation that it is recorded as, and its step.
var settling = map[lifecycle.Work]struct {
	op   *gate.Operation
	step func(*edit) error
}{
	lifecycle.WorkRotate:        {gate.RotateDue, (*edit).rotateEarly},
	lifecycle.WorkDeprecate:     {gate.AdvanceVersion, (*edit).advance},
	lifecycle.WorkExpire:        {gate.AdvanceVersion, (*edit).advance},
	lifecycle.WorkRecord:        {gate.AdvanceVersion, (*edit).advance},
	lifecycle.WorkEraseMaterial: {gate.EraseDue, (*edit).eraseDue},
	lifecycle.WorkDestroy:       {gate.DestroyDue, (*edit).destroyDue},
	lifecycle.WorkResume:        {gate.Resume, (*edit).resumeDue},
}

// Settle does what a deadline asked, as Haven's own work in the caller's name, and tells whether there
// was anything left to do: what somebody else did meanwhile, or what no longer is to be done, is not
// done. Of those who settle one thing at a time, in however many processes, one does it.
//
// Of a rotation it returns the new primary.
func (m *Manager) Settle(ctx context.Context, c *gate.Call, d Due) (done bool, primary uint32, err error) {
	finished, err := m.settled.take(ctx, d.Key)
	if err != nil {
		return false, 0, err
	}
	defer finished()
	for more := true; more; {
		if more, err = m.stillDue(ctx, &d); err != nil || !more {
			return done, primary, err
		}
		how := settling[d.Work]
		own, err := m.gate.Own(ctx, c, how.op)
		if err != nil {
			return done, primary, err
		}
		idle := false
		key, err := m.manage(ctx, own, versionText(d.Key, d.Version), "", func(e *edit) error {
			err := how.step(e)
			idle = e.idle
			return err
		})
		if err != nil || idle {
			return done, primary, err
		}
		done, d.revision = true, 0
		if d.Work == lifecycle.WorkRotate {
			primary = key.Version
		}
		more = d.Work == lifecycle.WorkDestroy // a page of versions at a time
	}
	return done, primary, nil
}

// versionText names a version as callers do, or the key as a whole for 0.
func versionText(key gate.ID, version uint32) string {
	if version == 0 {
		return key.String()
	}
	return fmt.Sprintf("%s@%d", key, version)
}

// stillDue tells whether something is to be done by the store as it is now.
func (m *Manager) stillDue(ctx context.Context, d *Due) (bool, error) {
	ref := keyRef(d.Key)
	if d.Version != 0 {
		ref = versionRef(versionID{d.Key, d.Version})
		v, err := m.ring.version(ctx, m.gate.Look(), d.Key, d.Version)
		if err == nil && v.item.Revision == d.revision {
			return true, nil // as when it was looked at
		}
	}
	items, _, err := m.ring.cfg.View.Get(ctx, ref)
	if err != nil || items[0].Revision == 0 {
		return false, err
	}
	found, err := m.Due(ctx, &items[0])
	now := m.ring.cfg.View.Now()
	return slices.ContainsFunc(found, func(f Due) bool {
		return f.Work == d.Work && f.Waits == "" && !f.At.After(now)
	}), err
}

// rotateEarly rotates if the primary is the version named and is to be replaced.
func (e *edit) rotateEarly() error {
	primary, err := e.loadPrimary()
	if err != nil {
		return err
	}
	if primary == nil || primary.body.Life.Number != e.named || e.now.Before(e.body.Life.NextRotation(primary.body.Life)) {
		e.idle = true
		return nil
	}
	return e.rotate()
}

// advance records the state that time, or a mark of the key, brought the version named to.
func (e *edit) advance() error {
	v, err := e.version(e.named)
	if err != nil {
		return err
	}
	next, changed := lifecycle.Advance(e.body.Life, v.body.Life, e.now)
	if !changed {
		e.idle = true
		return nil
	}
	e.out.Parameters = "state=" + next.State.String()
	return e.changeVersion(v, next)
}

// eraseDue deletes imported material that came to its end.
func (e *edit) eraseDue() error {
	v, err := e.version(e.named)
	if err != nil {
		return err
	}
	if v.body.Life.MaterialErased || !v.body.Life.WithoutMaterial(e.now) {
		e.idle = true
		return nil
	}
	life, err := lifecycle.EraseMaterial(e.body.Life, v.body.Life, e.now)
	if err != nil {
		return e.refused(err)
	}
	return e.erase(v, life)
}
