package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) whoami() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Tell who the server takes you for", GroupID: groupAccess,
		Long: `Tell who the server takes you for. It needs no permission.

Fields of --output json: account, arn, id.`,
		Example: `  haven whoami`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			who, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Caller, error) {
				return c.GetCallerIdentity(ctx)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("account", who.Account)
			t.add("arn", who.ARN)
			t.add("id", who.ID)
			return a.answer(who, &t)
		},
	}
}
