package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) principalShow() *cobra.Command {
	return &cobra.Command{
		Use: "show PRINCIPAL", Short: "Show a principal",
		Long:    "Show a principal.\n\n" + principalReference + "\n\n" + principalFields,
		Example: `  haven principal show amina`,
		Args:    exactly("PRINCIPAL"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Principal, error) {
				return c.DescribePrincipal(ctx, args[0])
			})
			if err != nil {
				return err
			}
			return a.answer(p, principalRows(p))
		},
	}
}

func (a *app) principalList() *cobra.Command {
	var req client.ListPrincipalsRequest
	var kind string
	c := &cobra.Command{
		Use: "list", Short: "List principals by name",
		Long: `List principals by name, a page at a time, roles after the others.

Fields of --output json: principals (each as haven principal show has it), next_cursor (absent at the
end).`,
		Example: `  haven principal list
  haven principal list --kind service --prefix clinic-`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req.Kind = client.PrincipalKind(kind)
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.PrincipalPage, error) {
				return c.ListPrincipals(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("NAME", "KIND", "STATE", "ID", "CREATED")
			for _, p := range page.Principals {
				t.add(p.Name, string(p.Kind), principalState(&p), p.ID, when(p.CreatedAt))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&kind, "kind", "", "only users, services or roles: user, service or role")
	c.Flags().StringVar(&req.Prefix, "prefix", "", "only names that begin with this `text`")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}
