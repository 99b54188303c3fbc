package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) policyDelete() *cobra.Command {
	var req client.PolicyRequest
	var trust bool
	c := &cobra.Command{
		Use: "delete [POLICY]", Short: "Delete a policy that nobody has",
		Long: `Delete a policy, and print what it was. A managed one that somebody has stays: detach it first. An
inline one ends when this has returned; a role without its trust policy is assumed by nobody, and the
sessions that there are go on to their end.

` + policyReference + "\n\n" + policyFields,
		Example: `  haven policy delete readers
  haven policy delete night --principal amina`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onPolicy(c.Context(), func(ctx context.Context, c *client.Client) (*client.Policy, error) {
				return c.DeletePolicy(ctx, req)
			})
		},
	}
	policyOf(c, &trust, &req)
	return c
}
