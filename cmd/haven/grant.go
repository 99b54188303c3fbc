package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) grant() *cobra.Command {
	c := &cobra.Command{
		Use: "grant", Short: "Let one principal do some operations with one key", GroupID: groupAccess,
		Long: `Let one principal do some operations with one key, perhaps for one encryption context only. A grant
counts until it is revoked by who manages the key, or retired by whom it names for that.`,
		Example: `  haven grant create alias/patients --to arn:aws:iam::000000000000:user/clinic-api --operation Decrypt
  haven grant list alias/patients`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.grantCreate(), a.grantList(), a.grantRevoke(), a.grantRetire())
	return c
}

// grantFields documents the short answer about a grant.
const grantFields = `Fields of --output json: key_id, grant_id, grant_token (of create alone: a name of the grant, no secret).`

func grantRows(g *client.GrantAnswer) *table {
	var t table
	t.add("grant", g.GrantID)
	t.add("key", g.KeyID)
	return &t
}

func (a *app) grantCreate() *cobra.Command {
	var req client.CreateGrantRequest
	var equals, subset []string
	c := &cobra.Command{
		Use: "create KEY", Short: "Make a grant",
		Long: `Make a grant: it counts when this has returned. Operations are AWS KMS's, such as Encrypt, Decrypt,
GenerateDataKey, ReEncryptFrom, Sign, DescribeKey, CreateGrant, RetireGrant; and HPKESeal, HPKEOpen,
Encapsulate and Decapsulate.

` + keyReference + `

` + grantFields,
		Example: `  haven grant create alias/patients --to arn:aws:iam::000000000000:user/clinic --operation Encrypt,Decrypt
  haven grant create alias/patients --to arn:aws:iam::000000000000:role/ward --operation Decrypt \
    --context-subset site=camp-3 --retiring arn:aws:iam::000000000000:user/amina --name camp-3-ward`,
		Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if req.ContextEquals, err = somePairs("--context-equals", equals); err != nil {
				return err
			}
			if req.ContextSubset, err = somePairs("--context-subset", subset); err != nil {
				return err
			}
			req.Key = args[0]
			g, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GrantAnswer, error) {
				return c.CreateGrant(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(g, grantRows(g))
		},
	}
	flags := c.Flags()
	flags.StringVar(&req.GranteePrincipal, "to", "", "the `ARN` of who is granted (required)")
	flags.StringSliceVar(&req.Operations, "operation", nil, "what is granted; several by commas, or repeat (required)")
	flags.StringVar(&req.RetiringPrincipal, "retiring", "", "the `ARN` of who else may retire it")
	flags.StringArrayVar(&equals, "context-equals", nil, "a pair of the one encryption context it is good for, `NAME=VALUE`; repeat for more")
	flags.StringArrayVar(&subset, "context-subset", nil, "a pair that the encryption context has at least, `NAME=VALUE`; repeat for more")
	flags.StringVar(&req.Name, "name", "", "a name: the same grant of the same name is made once")
	required(c, "to", "operation")
	return c
}

// somePairs is pairs, and nothing where none are given.
func somePairs(flag string, given []string) (map[string]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	return pairs(flag, given)
}

func (a *app) grantList() *cobra.Command {
	var req client.ListGrantsRequest
	c := &cobra.Command{
		Use: "list KEY", Short: "List a key's grants, oldest first",
		Long: `List a key's grants, oldest first, a page at a time. Principals deleted since are shown by their ids.

` + keyReference + `

Fields of --output json: grants (each key_id, grant_id, name, grantee_principal, retiring_principal,
operations, encryption_context_equals, encryption_context_subset, created_at, created_by,
last_used_on, a day, UTC), next_cursor
(absent at the end).`,
		Example: `  haven grant list alias/patients
  haven grant list alias/patients --to arn:aws:iam::000000000000:user/clinic-api`,
		Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Key = args[0]
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GrantPage, error) {
				return c.ListGrants(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("GRANT", "TO", "OPERATIONS", "CONTEXT", "NAME", "CREATED")
			for _, g := range page.Grants {
				t.add(g.GrantID, g.GranteePrincipal, strings.Join(g.Operations, ","), constraintText(&g), g.Name, when(g.CreatedAt))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&req.GranteePrincipal, "to", "", "only those to this `ARN`")
	c.Flags().StringVar(&req.GrantID, "grant", "", "only the one of this `ID`")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

// constraintText is a grant's constraint for people: = is the whole context, + what it has at least.
func constraintText(g *client.Grant) string {
	sign, from := "=", g.ContextEquals
	if from == nil {
		sign, from = "+", g.ContextSubset
	}
	var out []string
	for _, name := range sortedNames(from) {
		out = append(out, name+"="+from[name])
	}
	if len(out) == 0 {
		return ""
	}
	return sign + " " + strings.Join(out, ",")
}

func (a *app) grantRevoke() *cobra.Command {
	return a.endGrant("revoke KEY GRANT", "End a grant as who manages the key",
		"End a grant as who manages the key. When this has returned, nothing that begins afterwards passes by it.",
		func(ctx context.Context, c *client.Client, key, grant string) (*client.GrantAnswer, error) {
			return c.RevokeGrant(ctx, key, grant)
		})
}

func (a *app) grantRetire() *cobra.Command {
	return a.endGrant("retire KEY GRANT", "End a grant as whom it names for that",
		"End a grant as its retiring principal, or as its grantee where it has the operation RetireGrant.",
		func(ctx context.Context, c *client.Client, key, grant string) (*client.GrantAnswer, error) {
			return c.RetireGrant(ctx, client.RetireGrantRequest{Key: key, GrantID: grant})
		})
}

func (a *app) endGrant(use, short, long string, do func(context.Context, *client.Client, string, string) (*client.GrantAnswer, error)) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + keyReference + "\n\n" + grantFields,
		Example: "  haven grant " + verb + " alias/patients 0197a3c2-5f00-7000-8000-000000000001",
		Args:    exactly("KEY", "GRANT"),
		RunE: func(c *cobra.Command, args []string) error {
			g, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GrantAnswer, error) {
				return do(ctx, c, args[0], args[1])
			})
			if err != nil {
				return err
			}
			return a.answer(g, grantRows(g))
		},
	}
}
