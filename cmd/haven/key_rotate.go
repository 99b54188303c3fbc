package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyRotate() *cobra.Command {
	return a.oneKey("rotate KEY", "Make a new version the primary",
		"Make a new version the primary. The one before stays valid until its grace period ends, then\nit only decrypts. KEY@N rotates only if N is still the primary.",
		`  haven key rotate alias/patients`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.RotateKey(ctx, key)
		})
}
