package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) policyCreate() *cobra.Command {
	var req client.CreatePolicyRequest
	var file string
	c := &cobra.Command{
		Use: "create NAME", Short: "Write a policy",
		Long: `Write a policy: a managed one, to attach, or with --principal or --group an inline one, which holds at
once. What in it cannot be honoured is refused with its line. haven access lint looks at it before.

` + policyFields,
		Example: `  haven policy create readers --document readers.json
  haven policy create night --principal amina < night.json`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if req.Document, err = a.readDocument(file); err != nil {
				return err
			}
			req.Name = args[0]
			return a.onPolicy(c.Context(), func(ctx context.Context, c *client.Client) (*client.Policy, error) {
				return c.CreatePolicy(ctx, req)
			})
		},
	}
	documentFlag(c, &file)
	holderFlags(c, &req.Principal, &req.Group, "an inline policy")
	return c
}
