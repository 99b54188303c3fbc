package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyScheduleDeletion() *cobra.Command {
	var days int
	c := a.oneKey("schedule-deletion KEY", "Destroy a key in 7 to 30 days unless cancelled",
		"Set the day a key is destroyed, with all that is encrypted under it and nowhere else. Until\nthen nobody uses the key, and cancel-deletion keeps it.\n\nA master key stops the keys that it wraps, and is not destroyed while it wraps any: move them\nfirst with haven key update KEY --master OTHER.",
		`  haven key schedule-deletion alias/old-exchange --days 30`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.ScheduleKeyDeletion(ctx, client.ScheduleKeyDeletionRequest{Key: key, Days: days})
		})
	c.Flags().IntVar(&days, "days", 30, "in how many `N` days, 7 to 30")
	return c
}
