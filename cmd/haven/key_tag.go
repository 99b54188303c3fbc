package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyTag() *cobra.Command {
	c := a.oneKey("tag KEY NAME=VALUE...", "Give a key tags",
		"Give a key tags; those it has by the same names get the new values. A key has at most 50.",
		`  haven key tag alias/patients site=camp-3 team=clinic`, nil)
	c.Args = keyAnd("NAME=VALUE...")
	c.RunE = func(c *cobra.Command, args []string) error {
		tags, err := pairs("a tag", args[1:])
		if err != nil {
			return err
		}
		key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
			return c.TagKey(ctx, client.TagKeyRequest{Key: args[0], Tags: tags})
		})
		if err != nil {
			return err
		}
		return a.answer(key, keyRows(key))
	}
	return c
}

func (a *app) keyUntag() *cobra.Command {
	c := a.oneKey("untag KEY NAME...", "Take tags from a key", "Take tags from a key, by name; what it does not have is passed over.",
		`  haven key untag alias/patients site`, nil)
	c.Args = keyAnd("NAME...")
	c.RunE = func(c *cobra.Command, args []string) error {
		key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
			return c.UntagKey(ctx, client.UntagKeyRequest{Key: args[0], Names: args[1:]})
		})
		if err != nil {
			return err
		}
		return a.answer(key, keyRows(key))
	}
	return c
}

// keyAnd asks for a key and at least one more argument.
func keyAnd(rest string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < 2 {
			return exactly("KEY", rest)(c, nil)
		}
		return nil
	}
}
