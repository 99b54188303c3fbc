package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) accessList() *cobra.Command {
	var req client.ListAccessRequest
	c := &cobra.Command{
		Use: "list", Short: "Tell who can do something to a key, and why",
		Long: `Tell who can do something to a key, and by which policy or grant. "conditionally" is who can in some
requests: a condition on the encryption context, the address or the like decides each. Of a role,
whoever assumes it can. A page may be short and not the last: next_cursor tells.

Fields of --output json: principals, next_cursor; each principal has principal, allowed, decided_by,
policy, grant.`,
		Example: `  haven access list --key alias/patients --action decrypt`,
		Args:    noneBut("flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.AccessPage, error) {
				return c.ListAccess(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			for _, p := range page.Principals {
				by := sourceNames[p.By]
				switch {
				case p.By == "root":
					by = "the account itself"
				case p.By == "grant":
					by = "grant " + p.Grant
				case p.Policy != "":
					by += " " + p.Policy
				}
				t.add(p.Principal, p.Allowed, by)
			}
			if page.NextCursor != "" {
				t.add("next_cursor", page.NextCursor)
			}
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&req.Key, "key", "", "to which `KEY`")
	c.Flags().StringVar(&req.Action, "action", "", "what: a permission, kms:Decrypt, or an operation, decrypt")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}
