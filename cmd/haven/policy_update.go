package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) policyUpdate() *cobra.Command {
	var req client.PolicyRequest
	var trust bool
	var file string
	c := &cobra.Command{
		Use: "update [POLICY]", Short: "Replace a policy's document",
		Long: `Replace a policy's document. When this has returned it holds for everybody who has the policy. With
--trust it says who may assume a role, also for the first time.

` + policyReference + "\n\n" + policyFields,
		Example: `  haven policy update readers --document readers.json
  haven policy update --principal role/auditor --trust --document trust.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			document, err := a.readDocument(file)
			if err != nil {
				return err
			}
			return a.onPolicy(c.Context(), func(ctx context.Context, c *client.Client) (*client.Policy, error) {
				return c.UpdatePolicy(ctx, client.UpdatePolicyRequest{Policy: req.Policy, Principal: req.Principal, Group: req.Group, As: req.As, Document: document})
			})
		},
	}
	policyOf(c, &trust, &req)
	documentFlag(c, &file)
	return c
}
