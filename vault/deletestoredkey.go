package vault

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/haven-health/haven/gate"
)

// DeleteStoredKeyRequest asks to delete a stored key in Days, 7 to 30 (0: 30).
type DeleteStoredKeyRequest struct {
	Name string `json:"name,omitzero"`
	ARN  string `json:"arn,omitzero"`
	Days int    `json:"days,omitzero"`
}

// DeleteStoredKey sets the day on which a stored key is deleted with all its versions. Until then nobody
// retrieves it, and RestoreStoredKey keeps it.
func (m *Manager) DeleteStoredKey(ctx context.Context, c *gate.Call, req DeleteStoredKeyRequest) (*StoredKey, error) {
	days := cmp.Or(req.Days, MaxDays)
	if days < MinDays || days > MaxDays {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "days is %d to %d", MinDays, MaxDays))
	}
	return m.change(ctx, c, Reference{req.Name, req.ARN}, gate.Asked{}, func(a gate.Approved, f *found) (gate.Outcome, error) {
		if err := f.available(); err != nil {
			return gate.Outcome{}, err
		}
		f.body.Deletion = a.Time().AddDate(0, 0, days)
		return gate.Outcome{
			Stops:      []gate.Stop{{Ref: storedRef(f.id), What: gate.PendingDeletion}},
			Parameters: fmt.Sprintf("days=%d", days),
		}, nil
	})
}

// RestoreStoredKey keeps a stored key that was to be deleted. It is retrieved as before then.
func (m *Manager) RestoreStoredKey(ctx context.Context, c *gate.Call, ref Reference) (*StoredKey, error) {
	return m.change(ctx, c, ref, gate.Asked{}, func(a gate.Approved, f *found) (gate.Outcome, error) {
		switch {
		case f.body.Deletion.IsZero():
			return gate.Outcome{}, &gate.Error{Code: gate.InvalidState, Reason: "not_pending_deletion",
				Detail: fmt.Sprintf("the stored key %s is not to be deleted", f.body.Name)}
		case !a.Time().Before(f.body.Deletion):
			return gate.Outcome{}, gate.Errorf(gate.NotFound, "no stored key %s", f.body.Name)
		}
		f.body.Deletion = time.Time{}
		return gate.Outcome{Stops: []gate.Stop{{Ref: storedRef(f.id), What: gate.PendingDeletion, Lift: true}}}, nil
	})
}
