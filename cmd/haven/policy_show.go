package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// policyOf reads which policy a command is about: by argument, or a role's trust policy by --trust.
func policyOf(c *cobra.Command, trust *bool, req *client.PolicyRequest) {
	holderFlags(c, &req.Principal, &req.Group, "the inline policy")
	c.Flags().BoolVar(trust, "trust", false, "the policy that says who may assume the role that --principal names")
	c.Args = func(c *cobra.Command, args []string) error {
		if *trust {
			req.As = client.AsTrust
			return noneBut("the name of a policy; --trust names it")(c, args)
		}
		if err := exactly("POLICY")(c, args); err != nil {
			return err
		}
		req.Policy = args[0]
		return nil
	}
}

func (a *app) policyShow() *cobra.Command {
	var req client.PolicyRequest
	var trust, document bool
	c := &cobra.Command{
		Use: "show [POLICY]", Short: "Show a policy and who has it",
		Long: `Show a policy as it was written, and who has it: how many, and the first hundred.

` + policyReference + "\n\n" + policyFields,
		Example: `  haven policy show readers
  haven policy show HavenApplication --document > own.json
  haven policy show --principal role/auditor --trust`,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Policy, error) {
				return c.DescribePolicy(ctx, req)
			})
			if err != nil {
				return err
			}
			if document {
				_, err := fmt.Fprint(a.stdout, p.Document)
				return err
			}
			if err := a.answer(p, policyRows(p)); err != nil || a.output == "json" {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, "\n"+printableLines(p.Document))
			return err
		},
	}
	policyOf(c, &trust, &req)
	c.Flags().BoolVar(&document, "document", false, "the document alone, as it was written")
	return c
}
