package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) accessPreview() *cobra.Command {
	var req client.PreviewPolicyRequest
	var file string
	c := &cobra.Command{
		Use: "preview [POLICY]", Short: "Tell who would gain and lose what by another document of a policy",
		Long: `Tell who would gain and who would lose what if a policy had another document. It saves nothing. POLICY
is one that can be attached, or an inline one with --principal or --group; without it the policy is the
key's own. Without --document the policy would be gone. --key says which key is looked at; without it
one that no policy names, key/any.

+ is gained, - lost. A page tells of so many principals: next_cursor tells of more.

Fields of --output json: changes, next_cursor; each change has principal, action, resource, before,
after.`,
		Example: `  haven access preview clinic --document clinic.json
  haven access preview --key alias/patients --document key-policy.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				req.Policy = args[0]
			}
			if file != "" {
				var err error
				if req.Document, err = a.policyFile(file); err != nil {
					return err
				}
			}
			preview, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.PolicyPreview, error) {
				return c.PreviewPolicy(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(preview, previewRows(preview))
		},
	}
	f := c.Flags()
	f.StringVar(&file, "document", "", "the new document's `file`; - is standard input")
	f.StringVar(&req.Principal, "principal", "", "whose inline policy: `PRINCIPAL`")
	f.StringVar(&req.Group, "group", "", "whose inline policy: `GROUP`")
	f.StringVar(&req.Key, "key", "", "which `KEY` is looked at")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

func previewRows(p *client.PolicyPreview) *table {
	var t table
	rank := map[string]int{"no": 0, "conditionally": 1, "yes": 2}
	for _, change := range p.Changes {
		sign := "-"
		if rank[change.After] > rank[change.Before] {
			sign = "+"
		}
		t.add(sign, change.Principal, change.Action, change.Resource, change.Before+" → "+change.After)
	}
	if len(p.Changes) == 0 && p.NextCursor == "" {
		t.add("nobody gains or loses anything")
	}
	if p.NextCursor != "" {
		t.add("next_cursor", p.NextCursor)
	}
	return &t
}
