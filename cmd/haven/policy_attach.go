package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) policyAttach() *cobra.Command {
	return a.attachment("attach POLICY", "Give a policy to a principal or group",
		`Give a principal or group a managed or ready policy. What it allows, and what it denies, holds when this
has returned. With --boundary it is the most a principal may, whatever else it is given; another boundary
takes the place of the one before.`,
		`  haven policy attach readers --group nurses
  haven policy attach HavenApplication --principal clinic-api
  haven policy attach HavenDecryptOnly --principal amina --boundary`, (*client.Client).AttachPolicy)
}

func (a *app) policyDetach() *cobra.Command {
	return a.attachment("detach POLICY", "Take a policy from a principal or group",
		`Take a policy from a principal or group, or with --boundary the boundary from a principal. It holds when
this has returned.`,
		`  haven policy detach readers --group nurses
  haven policy detach HavenDecryptOnly --principal amina --boundary`, (*client.Client).DetachPolicy)
}

// attachment makes a command about who has a policy.
func (a *app) attachment(use, short, long, example string, do func(*client.Client, context.Context, client.AttachPolicyRequest) (*client.Policy, error)) *cobra.Command {
	var req client.AttachPolicyRequest
	var boundary bool
	c := &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + policyFields, Example: example,
		Args: exactly("POLICY"),
		RunE: func(c *cobra.Command, args []string) error {
			if req.Policy = args[0]; boundary {
				req.As = client.AsBoundary
			}
			return a.onPolicy(c.Context(), func(ctx context.Context, c *client.Client) (*client.Policy, error) {
				return do(c, ctx, req)
			})
		},
	}
	c.Flags().StringVar(&req.Principal, "principal", "", "the `PRINCIPAL`")
	c.Flags().StringVar(&req.Group, "group", "", "the `GROUP`")
	c.MarkFlagsMutuallyExclusive("principal", "group")
	c.MarkFlagsOneRequired("principal", "group")
	c.Flags().BoolVar(&boundary, "boundary", false, "as the principal's boundary")
	return c
}
