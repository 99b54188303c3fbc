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

// DisableRequest suspends a key: until it is enabled, or for a time.
type DisableRequest struct {
	Key string `json:"key"`
	For Span   `json:"for,omitzero"`
}

// DisableKey suspends a key: nobody uses it until it is enabled or its time is over. The first use
// after that is preceded by a recorded operation of its own that ends the suspension. A suspension
// that stands is never shortened: enable the key first.
func (m *Manager) DisableKey(ctx context.Context, c *gate.Call, req DisableRequest) (*Key, error) {
	if req.For != 0 {
		if err := req.For.check(); err != nil {
			return nil, m.gate.Refuse(ctx, c, err)
		}
	}
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if err := e.wholeKey(); err != nil {
			return err
		}
		var until time.Time
		if req.For != 0 {
			until = wholeSecond(e.now.Add(time.Duration(req.For)))
		}
		life, err := lifecycle.Disable(e.body.Life, until, e.now)
		if err != nil {
			return e.refused(err)
		}
		through, ok := gate.StopUntil(life.DisabledUntil)
		if !ok {
			return gate.Errorf(gate.InvalidRequest, "a key can be disabled for a time until the year 2106; leave for out")
		}
		e.body.Life = life
		if !life.DisabledUntil.IsZero() {
			e.out.Parameters = "until=" + life.DisabledUntil.Format(time.RFC3339)
		}
		e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.Disabled, Through: through})
		return nil
	})
}

// wholeSecond returns t, or the next whole second: the stops chain holds no less.
func wholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

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
