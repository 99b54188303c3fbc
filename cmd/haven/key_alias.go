package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyAlias() *cobra.Command {
	c := &cobra.Command{
		Use: "alias", Short: "Give keys further names, move and delete them",
		Long: `Give keys further names, move and delete them. A key has at most 50. Programs that name an alias
follow it to another key; aliases that begin with alias/haven- are Haven's own and stay.`,
		Example: `  haven key alias create alias/patients-eu 0197a3c2-5f00-7000-8000-000000000001
  haven key alias move alias/patients-eu alias/patients`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.aliasCreate(), a.aliasMove(), a.aliasDelete(), a.aliasList())
	return c
}

func (a *app) aliasCreate() *cobra.Command {
	return a.aliasOf("create ALIAS KEY", "Give a key one more name", "Give a key one more name, alias/NAME.",
		`  haven key alias create alias/patients-eu alias/patients`, (*client.Client).CreateAlias)
}

func (a *app) aliasMove() *cobra.Command {
	c := a.aliasOf("move ALIAS KEY", "Make an alias name another key",
		"Make an alias name another key, of the same type and usage. When this has returned, whatever\nnames the alias means the new key. What was encrypted under the old one still needs it.",
		`  haven key alias move alias/patients-eu 0197a3c2-5f00-7000-8000-000000000001`, (*client.Client).UpdateAlias)
	c.Aliases = []string{"update"}
	return c
}

// aliasOf makes a command that gives an alias to a key and prints the key.
func (a *app) aliasOf(use, short, long, example string, do func(*client.Client, context.Context, client.AliasRequest) (*client.Key, error)) *cobra.Command {
	c := a.oneKey(use, short, long, example, nil)
	c.Args = exactly("ALIAS", "KEY")
	c.RunE = func(c *cobra.Command, args []string) error {
		key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
			return do(c, ctx, client.AliasRequest{Alias: args[0], Key: args[1]})
		})
		if err != nil {
			return err
		}
		return a.answer(key, keyRows(key))
	}
	return c
}

func (a *app) aliasDelete() *cobra.Command {
	c := a.oneKey("delete ALIAS", "Take a name from a key",
		"Take a name from a key, and print the key: it stays, with what was encrypted under it.",
		`  haven key alias delete alias/patients-eu`,
		func(ctx context.Context, c *client.Client, alias string) (*client.Key, error) {
			return c.DeleteAlias(ctx, alias)
		})
	c.Args = exactly("ALIAS")
	return c
}

func (a *app) aliasList() *cobra.Command {
	var req client.ListAliasesRequest
	c := &cobra.Command{
		Use: "list", Short: "List aliases by name",
		Long: `List aliases by name, a page at a time: all, or those of one key.

Fields of --output json: aliases (each alias, arn, key_id, created_at, updated_at once it was given
another key), next_cursor (absent at the end).`,
		Example: `  haven key alias list
  haven key alias list --key alias/patients`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.AliasPage, error) {
				return c.ListAliases(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("ALIAS", "KEY", "CREATED", "MOVED")
			for _, alias := range page.Aliases {
				t.add(alias.Alias, alias.KeyID, when(alias.CreatedAt), when(alias.UpdatedAt))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&req.Key, "key", "", "only those of this `KEY`")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}
