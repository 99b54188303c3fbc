package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyCompromise() *cobra.Command {
	req := client.MarkCompromisedRequest{}
	var keep bool
	c := a.oneKey("compromise KEY", "Revoke a version, or a whole key, at once and for good",
		"Revoke a version (KEY@N) or every version of a key, for everyone and for good. When this has\nreturned, no use that begins afterwards succeeds. A compromised primary is replaced at once\nunless told not to.",
		`  haven key compromise alias/patients@1 --reason "laptop stolen at the border"`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			req.Key = key
			if keep {
				req.NewPrimary = new(bool)
			}
			return c.MarkCompromised(ctx, req)
		})
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for the record (required)")
	c.Flags().BoolVar(&keep, "no-new-primary", false, "do not replace a compromised primary (with KEY@N only)")
	required(c, "reason")
	return c
}
