package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyScheduleDeletion() *cobra.Command {
	var days int
	c := a.oneKey("schedule-deletion KEY", "Destroy a key in 7 to 30 days unless cancelled",
		"Set the day a key is destroyed, with all that is encrypted under it and nowhere else. Until\nthen nobody uses the key, and cancel-deletion keeps it.\n\nA master key stops the keys that it wraps, and is not destroyed while it wraps any: move them\nfirst with haven key update KEY --master OTHER. From one that is pending deletion nothing is\nmoved: cancel its deletion and enable it before.",
		`  haven key schedule-deletion alias/old-exchange --days 30`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			k, err := c.ScheduleKeyDeletion(ctx, client.ScheduleKeyDeletionRequest{Key: key, Days: days})
			if err == nil && k.Wraps != nil && k.Wraps.Count > 0 {
				a.note(stillWraps, k.KeyID, wraps(k.Wraps))
			}
			return k, err
		})
	c.Flags().IntVar(&days, "days", 30, "in how many `N` days, 7 to 30")
	return c
}

// stillWraps warns of what the deletion of a master key does to the keys below it.
const stillWraps = `Warning: master key %[1]s still wraps %[2]s versions of other keys. From now on those keys cannot
be used either, and while it wraps any it is not destroyed, its deletion date notwithstanding. To go on:
  haven key cancel-deletion %[1]s
  haven key enable %[1]s
  haven key update KEY --master OTHER    (each key below it; then schedule the deletion again)`
