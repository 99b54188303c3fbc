package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyEnable() *cobra.Command {
	return a.oneKey("enable KEY", "Let a disabled key be used again",
		"Let a disabled key be used again.",
		`  haven key enable alias/patients`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.EnableKey(ctx, key)
		})
}
