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
	var what, key string
	c := &cobra.Command{
		Use: "lint FILE", Short: "Look at a policy before it is saved, or at a key",
		Long: `Look at a policy document before it is saved: wildcards that let use keys, administration and use in
one policy, conditions that hold or fail always, and exceptions that allow whatever is added later. A
document that would be refused is refused, with its place. FILE - is standard input.

With --key, look at a key instead: whether it has an owner, at its policy, and at grants that nobody
used for 90 days.

Fields of --output json: findings; each has rule, pointer, line, column, what, advice; of a key also
key_id, and grant_id in a finding about a grant.`,
		Example: `  haven access lint clinic.json
  haven access lint --for key key-policy.json
  haven access lint --key alias/patients`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (key == "") == (len(args) == 0) {
				return usagef("say FILE, or --key")
			}
			if key != "" {
				return a.lintKey(c.Context(), key)
			}
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
	c.Flags().StringVar(&key, "key", "", "look at a `KEY` instead of a file")
	return c
}

func (a *app) lintKey(ctx context.Context, key string) error {
	found, err := call(ctx, a, func(ctx context.Context, c *client.Client) (*client.LintKeyAnswer, error) { return c.LintKey(ctx, key) })
	if err != nil {
		return err
	}
	var t table
	if len(found.Findings) == 0 {
		t.add("nothing found")
	}
	for _, f := range found.Findings {
		where := f.GrantID
		switch {
		case f.Line > 0:
			where = fmt.Sprintf("policy %d:%d", f.Line, f.Column)
		case where == "":
			where = "key"
		}
		t.add(where, f.Rule, f.What+"; "+f.Advice)
	}
	return a.answer(found, &t)
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
