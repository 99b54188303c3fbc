package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyDisable() *cobra.Command {
	return a.oneKey("disable KEY", "Suspend a key, reversibly",
		"Suspend a key, reversibly. When this has returned, no use that begins afterwards succeeds.",
		`  haven key disable alias/patients`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.DisableKey(ctx, key)
		})
}
