package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyRestore() *cobra.Command {
	return a.oneKey("restore KEY@N", "Bring an expired version back before it is destroyed",
		`Bring an expired version back to deprecated, until its deletion date: it decrypts again, and its
lifetime no longer ends.`,
		`  haven key restore alias/patients@1`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.RestoreVersion(ctx, key)
		})
}
