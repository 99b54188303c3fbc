package keys

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// KeyRequest names a key and nothing else.
type KeyRequest struct {
	Key string `json:"key"`
}

// wholeKey refuses a version where only the key as a whole can be meant.
func (e *edit) wholeKey() error {
	if e.named != 0 {
		return gate.Errorf(gate.InvalidRequest, "this is done to a whole key; leave @%d out", e.named)
	}
	return nil
}

// DisableKey suspends a key: nobody uses it until it is enabled.
func (m *Manager) DisableKey(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if err := e.wholeKey(); err != nil {
			return err
		}
		life, err := lifecycle.Disable(e.body.Life, time.Time{}, e.now)
		if err != nil {
			return e.refused(err)
		}
		e.body.Life = life
		e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.Disabled})
		return nil
	})
}

// EnableKey lets a disabled key be used again.
func (m *Manager) EnableKey(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if err := e.wholeKey(); err != nil {
			return err
		}
		life, err := lifecycle.Enable(e.body.Life)
		if err != nil {
			return e.refused(err)
		}
		e.body.Life = life
		e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.Disabled, Lift: true})
		return nil
	})
}
