package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/store"
)

// Accept does accept-clock: it takes the wall clock as it is, once the record of it is durable,
// which says from what time to what. A wall clock more than MaxClockStep behind the present time is
// taken only if back says so, for then rights that a deadline ended may come back; what was recorded
// as ended stays so.
func (g *Gate) Accept(ctx context.Context, c *Call, back bool) error {
	var taken clockReading
	var alarm bool
	err := g.Do(ctx, c, Request{}, func(a Approved) (Outcome, error) {
		taken, alarm = g.view.time.read(), g.view.time.Alarm()
		from, to := a.Time(), taken.wall.UTC()
		if !back && from.Sub(to) > MaxClockStep {
			e := Errorf(InvalidState, "the machine's clock says %s, which is before %s, the time that deadlines are compared with: mend the clock; or, if it is right, accept it with back",
				to.Format(time.RFC3339), from.Format(time.RFC3339))
			e.Reason = "clock_behind"
			return Outcome{}, e
		}
		parameters := fmt.Sprintf("from=%s;to=%s", from.Format(time.RFC3339), to.Format(time.RFC3339))
		return Outcome{Parameters: parameters}, nil
	})
	if err != nil {
		return err
	}
	before := g.view.Now()
	g.view.time.accept(taken, back)
	if !alarm && !g.view.Now().Before(before) {
		return nil
	}
	// The newest record is what a later start goes on from, and the pin says that no alarm stands.
	// If this fails, a start that comes before another record raises the alarm again.
	own, err := g.Own(ctx, c, Pin)
	if err != nil {
		return g.logged(c, err)
	}
	return g.Do(ctx, own, Request{}, func(a Approved) (Outcome, error) { return g.view.Pin(ctx, a) })
}

// pinRef is the item whose change pins the journal's end in the store.
func pinRef() store.Ref { return store.Ref{Kind: store.KindSetting, ID: "pin"} }

// pinBody is what it says: whether the wall clock is believed.
type pinBody struct {
	Format     int  `json:"v"`
	ClockAlarm bool `json:"clock_alarm,omitzero"`
}

// Pin stages the change of one small item: the journal's present end is written into the store with
// it, and whether the wall clock is believed, which a later start must know.
func (v *View) Pin(ctx context.Context, a Approved) (Outcome, error) {
	ref := pinRef()
	items, epoch, err := v.Get(ctx, ref)
	if err != nil {
		return Outcome{}, err
	}
	v.Note(a.Reading(), epoch, ref)
	body, err := json.Marshal(pinBody{Format: 1, ClockAlarm: v.time.Alarm()})
	if err != nil {
		return Outcome{}, err
	}
	change := Change{Ref: ref, Body: body}
	if items[0].Revision > 0 {
		change.Before = &items[0]
	}
	return Outcome{Changes: []Change{change}}, nil
}

// clockAlarm tells whether the wall clock was believed when the journal's end was last pinned. What
// an altered item says is not: nobody may make a wrong clock believed with it.
func (v *View) clockAlarm(ctx context.Context) (bool, error) {
	items, _, err := v.Get(ctx, pinRef())
	switch {
	case errors.Is(err, Tampered):
		return true, nil
	case err != nil:
		return false, err
	case items[0].Revision == 0:
		return false, nil
	}
	var body pinBody
	if err := json.Unmarshal(items[0].Body, &body); err != nil || body.Format != 1 {
		return false, &Error{Code: Tampered, Detail: "the store's pin is of a format that this release does not know; use the release that wrote it"}
	}
	return body.ClockAlarm, nil
}
