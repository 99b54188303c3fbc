package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyDeleteMaterial() *cobra.Command {
	return a.oneKey("delete-material KEY", "Delete imported material at once",
		"Delete the imported material of the primary, or of KEY@N. When this has returned, nothing that\nneeds it succeeds; signatures still verify. Who has the same material can import it again:\nhaven key import KEY@N.",
		`  haven key delete-material alias/shared@1`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			return c.DeleteImportedKeyMaterial(ctx, key)
		})
}
