package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// RotateRequest asks for a new primary. Key with @N rotates only if N is still the primary.
type RotateRequest struct {
	Key string `json:"key"`
}

// RotateKey makes a new version the primary; the one before it goes on for its grace period.
func (m *Manager) RotateKey(ctx context.Context, c *gate.Call, req RotateRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if e.named != 0 && e.named != e.body.Life.Primary {
			return gate.Errorf(gate.Conflict, "version %d of key %s is not its primary; version %d is", e.named, e.id, e.body.Life.Primary)
		}
		return e.rotate()
	})
}

// rotate stages a new primary.
func (e *edit) rotate() error {
	old, err := e.loadPrimary()
	if err != nil {
		return err
	}
	var life lifecycle.Version
	if old != nil {
		life = old.body.Life
	}
	moved, err := lifecycle.Rotate(e.body.Life, life, e.now)
	if err != nil {
		return e.refused(err)
	}
	e.body.Life = moved.Key
	if old != nil {
		if err := e.changeVersion(old, moved.Old); err != nil {
			return err
		}
		previous := moved.Old.Number
		e.answer = func(k *Key) { k.PreviousVersion = previous }
	}
	return e.addVersion(moved.New)
}
