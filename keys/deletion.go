package keys

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// ScheduleDeletionRequest asks for the destruction of a key, or, with @N, of an expired,
// compromised or pending version. Days is 7 to 30; 0 takes 30.
type ScheduleDeletionRequest struct {
	Key  string `json:"key"`
	Days int    `json:"days,omitzero"`
}

// ScheduleKeyDeletion sets the day of destruction. Until then nobody uses what is to be destroyed,
// and CancelKeyDeletion keeps it. A master key stops what it wraps with it, and is not destroyed
// while it wraps anything: the answer tells how much that is.
func (m *Manager) ScheduleKeyDeletion(ctx context.Context, c *gate.Call, req ScheduleDeletionRequest) (*Key, error) {
	return m.change(ctx, c, onKey(req.Key, req.asked()), func(e *edit) error {
		e.out.Parameters = fmt.Sprintf("days=%d", cmp.Or(req.Days, lifecycle.MaxDeletionDays))
		if e.named == 0 {
			life, err := lifecycle.ScheduleKeyDeletion(e.body.Life, req.Days, e.now)
			if err != nil {
				return e.refused(err)
			}
			e.body.Life = life
			e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.PendingDeletion})
			return e.tellWraps()
		}
		v, err := e.version(e.named)
		if err != nil {
			return err
		}
		life, err := lifecycle.ScheduleVersionDeletion(e.body.Life, v.body.Life, req.Days, e.now)
		if err != nil {
			return e.refused(err)
		}
		return e.changeVersion(v, life)
	})
}

// tellWraps has the answer tell what a master key wraps.
func (e *edit) tellWraps() error {
	var counted Key
	if err := e.m.ring.countOf(e.ctx, e, &counted); err != nil {
		return err
	}
	e.answer = func(k *Key) { k.Wraps, k.RewrapLeft = counted.Wraps, counted.RewrapLeft }
	return nil
}

// cancelTime is the time by which a cancellation is late: a master key's is not while it wraps
// anything, because its date destroyed nothing then.
func (e *edit) cancelTime() (time.Time, error) {
	if e.body.Type != Master {
		return e.now, nil
	}
	all, _, err := e.m.ring.countKey(e.ctx, e.id, &e.body.Life)
	if err != nil || all.Count == 0 {
		return e.now, err
	}
	return time.Time{}, nil
}

// CancelKeyDeletion keeps what was to be destroyed. A key is disabled afterwards, as in AWS KMS.
func (m *Manager) CancelKeyDeletion(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if e.named == 0 {
			by, err := e.cancelTime()
			if err != nil {
				return err
			}
			life, err := lifecycle.CancelKeyDeletion(e.body.Life, by)
			if err != nil {
				return e.refused(err)
			}
			e.body.Life = life
			e.out.Stops = append(e.out.Stops,
				gate.Stop{Ref: keyRef(e.id), What: gate.Disabled},
				gate.Stop{Ref: keyRef(e.id), What: gate.PendingDeletion, Lift: true})
			return nil
		}
		v, err := e.version(e.named)
		if err != nil {
			return err
		}
		life, err := lifecycle.CancelVersionDeletion(e.body.Life, v.body.Life, e.now)
		if err != nil {
			return e.refused(err)
		}
		return e.changeVersion(v, life)
	})
}
