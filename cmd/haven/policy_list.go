package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) policyList() *cobra.Command {
	var req client.ListPoliciesRequest
	c := &cobra.Command{
		Use: "list", Short: "List policies",
		Long: `List the policies that can be attached, ready ones first, a page at a time; or all that a principal or
group has: attached and inline ones, boundary and trust policy. What groups give stands with them.

Fields of --output json: policies (as of haven policy show, without documents), next_cursor (absent at
the end).`,
		Example: `  haven policy list
  haven policy list --principal amina`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if (req.Principal != "" || req.Group != "") && !c.Flags().Changed("limit") {
				req.Limit = 0 // one page
			}
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.PolicyPage, error) {
				return c.ListPolicies(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("POLICY", "KIND", "AS", "CREATED", "UPDATED")
			for _, p := range page.Policies {
				t.add(p.Name, string(p.Kind), string(p.As), when(p.CreatedAt), when(p.UpdatedAt))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	holderFlags(c, &req.Principal, &req.Group, "all")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}
