package keys

import (
	"context"
	"slices"

	"github.com/haven-health/haven/gate"
)

// tell adds to documents what is not of the keys themselves: how often they were used, and by what
// name whoever made them is known now. Names are personal: they are in no stored answer.
func (r *Ring) tell(ctx context.Context, a gate.Approved, documents ...*Key) error {
	if err := r.counts.show(ctx, a, documents...); err != nil {
		return err
	}
	var creators []gate.ID
	for _, k := range documents {
		if !slices.Contains(creators, k.CreatedBy) {
			creators = append(creators, k.CreatedBy)
		}
	}
	names, err := r.cfg.People.NamesOf(ctx, creators)
	if err != nil {
		return err
	}
	for _, k := range documents {
		k.CreatedByName = names[k.CreatedBy]
	}
	return nil
}
