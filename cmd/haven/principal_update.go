package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) principalUpdate() *cobra.Command {
	var req client.UpdatePrincipalRequest
	var tags []string
	var disable, enable bool
	c := &cobra.Command{
		Use: "update PRINCIPAL", Short: "Change a principal's tags, disable or enable it",
		Long: `Change a principal's tags, disable it, or enable it again. None of the credentials of a disabled one
proves anything: when this has returned, whatever is begun with them fails.

` + principalReference + "\n\n" + principalFields,
		Example: `  haven principal update amina --tag team=laboratory --remove-tag site
  haven principal update amina --disable
  haven principal update amina --enable`,
		Args: exactly("PRINCIPAL"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if req.Tags, err = pairs("--tag", tags); err != nil {
				return err
			}
			if req.Principal = args[0]; disable || enable {
				req.Disabled = &disable
			}
			p, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Principal, error) {
				return c.UpdatePrincipal(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(p, principalRows(p))
		},
	}
	c.Flags().StringArrayVar(&tags, "tag", nil, "a tag to add or change, `NAME=VALUE`; repeat for more")
	c.Flags().StringArrayVar(&req.RemoveTags, "remove-tag", nil, "the `NAME` of a tag to take away; repeat for more")
	c.Flags().BoolVar(&disable, "disable", false, "suspend it")
	c.Flags().BoolVar(&enable, "enable", false, "end the suspension")
	c.MarkFlagsMutuallyExclusive("disable", "enable")
	return c
}

func (a *app) principalDelete() *cobra.Command {
	return a.ending("delete PRINCIPAL", "Delete a principal",
		`Delete a principal with its credentials, memberships and inline policies. When this has returned,
whatever is begun as it fails. Its name is free; who gets it next inherits nothing.

`+principalReference,
		`  haven principal delete amina`, "PRINCIPAL", (*client.Client).DeletePrincipal)
}

// ending makes a command that ends what its one argument names, and prints nothing.
func (a *app) ending(use, short, long, example, argument string, do func(*client.Client, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long + "\n\nFields of --output json: none.", Example: example, Args: exactly(argument),
		RunE: func(c *cobra.Command, args []string) error {
			done, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (struct{}, error) {
				return struct{}{}, do(c, ctx, args[0])
			})
			if err != nil {
				return err
			}
			return a.answer(done, new(table))
		},
	}
}
