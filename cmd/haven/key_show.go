package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyShow() *cobra.Command {
	return a.oneKey("show KEY", "Show a key",
		"Show a key.",
		`  haven key show alias/patients`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.DescribeKey(ctx, key)
		})
}
