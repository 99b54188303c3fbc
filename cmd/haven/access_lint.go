package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// maxPolicyFile is more than any policy document that a server takes.
const maxPolicyFile = 64 << 10

func (a *app) accessLint() *cobra.Command {
	var what string
	c := &cobra.Command{
		Use: "lint FILE", Short: "Look at a policy before it is saved",
		Long: `Look at a policy document before it is saved: wildcards that let use keys, administration and use in
one policy, conditions that hold or fail always, and exceptions that allow whatever is added later. A
document that would be refused is refused, with its place. FILE - is standard input.

Fields of --output json: findings; each has rule, pointer, line, column, what, advice.`,
		Example: `  haven access lint clinic.json
  haven access lint --for key key-policy.json`,
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			document, err := a.policyFile(args[0])
			if err != nil {
				return err
			}
			found, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.LintAccessAnswer, error) {
				return c.LintAccess(ctx, client.LintAccessRequest{Document: document, For: what})
			})
			if err != nil {
				return err
			}
			return a.answer(found, lintRows(found))
		},
	}
	c.Flags().StringVar(&what, "for", "identity", "what it would be: identity (also a boundary or session policy), key or trust")
	return c
}

// policyFile reads a policy document.
func (a *app) policyFile(name string) (string, error) {
	from := io.NopCloser(a.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		from = f
	}
	defer from.Close()
	text, err := io.ReadAll(io.LimitReader(from, maxPolicyFile+1))
	if err == nil && len(text) > maxPolicyFile {
		err = fmt.Errorf("%s is longer than any policy", name)
	}
	return string(text), err
}

func lintRows(found *client.LintAccessAnswer) *table {
	var t table
	if len(found.Findings) == 0 {
		t.add("nothing found")
	}
	for _, f := range found.Findings {
		t.add(fmt.Sprintf("%d:%d", f.Line, f.Column), f.Rule, f.What+"; "+f.Advice)
	}
	return &t
}
