package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyDeprecate() *cobra.Command {
	return a.oneKey("deprecate KEY@N", "Let an old version decrypt only",
		"Let an old version decrypt only, before its grace period ends. Never the primary.",
		`  haven key deprecate alias/patients@1`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.DeprecateVersion(ctx, key)
		})
}
