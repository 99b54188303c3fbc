package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyCancelDeletion() *cobra.Command {
	return a.oneKey("cancel-deletion KEY", "Keep a key that was to be destroyed",
		"Keep a key that was to be destroyed. It stays disabled: enable it to use it again.",
		`  haven key cancel-deletion alias/patients`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.CancelKeyDeletion(ctx, key)
		})
}
