package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyPolicy() *cobra.Command {
	c := &cobra.Command{
		Use: "policy", Short: "A key's own policy: who may do what with it",
		Long: `A key's own policy: who may do what with it. A key without one leaves that to the policies of its users;
one with a policy leaves to them only what the policy allows the account. See docs/access.md.`,
		Example: `  haven key policy show alias/patients
  haven key policy set alias/patients --in policy.json`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.keyPolicyShow(), a.keyPolicySet())
	return c
}

func (a *app) keyPolicyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show KEY", Short: "Print a key's policy",
		Long: `Print a key's policy as it was written, with the ARNs that its principals have now, and the ids of those
deleted since. For a key without a policy it prints one that says what holds then.

` + keyReference + `

Fields of --output json: key_id, document, default (true for a key without a policy of its own),
updated_at, updated_by.`,
		Example: `  haven key policy show alias/patients > policy.json`,
		Args:    exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.KeyPolicy, error) {
				return c.GetKeyPolicy(ctx, args[0])
			})
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.answer(p, nil)
			}
			_, err = fmt.Fprintln(a.stdout, printableLines(p.Document))
			return err
		},
	}
}

func (a *app) keyPolicySet() *cobra.Command {
	req := client.PutKeyPolicyRequest{}
	in := ""
	c := a.oneKey("set KEY", "Give a key a policy, in place of the one it has",
		`Give a key a policy, in place of the one it has, and print the key. It is an IAM policy with principals,
read from --in or standard input; when this has returned, it decides. One under which you could not
set another is refused.`,
		`  haven key policy set alias/patients --in policy.json`, nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		document, err := a.readInput(in, maxPolicyFile)
		if err != nil {
			return err
		}
		req.Key, req.Document = args[0], string(document)
		key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
			return c.PutKeyPolicy(ctx, req)
		})
		if err != nil {
			return err
		}
		return a.answer(key, keyRows(key))
	}
	c.Flags().StringVar(&in, "in", "", "the `file` with the document; empty: standard input")
	c.Flags().BoolVar(&req.BypassLockoutCheck, "bypass-lockout-check", false, "take a policy under which you could not set another")
	return c
}
