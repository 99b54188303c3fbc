package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyList() *cobra.Command {
	var req client.ListKeysRequest
	var kind string
	c := &cobra.Command{
		Use: "list", Short: "List keys, newest first",
		Long: `List keys, newest first, a page at a time.

Fields of --output json: keys (key documents: see haven key show --help), next_cursor (absent at
the end).`,
		Example: `  haven key list --type data
  haven key list --limit 100 --output json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req.Type = client.KeyType(kind)
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.KeyPage, error) {
				return c.ListKeys(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("KEY", "ALIAS", "TYPE", "STATE", "VERSION", "NEXT ROTATION", "PURPOSE")
			for i := range page.Keys {
				k := &page.Keys[i]
				t.add(k.KeyID, k.Alias, string(k.Type), stateOf(k), versionOf(k), when(k.NextRotationAt), k.Purpose)
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&kind, "type", "", "only keys of this `type`")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

func pageFlags(c *cobra.Command, limit *int, cursor *string) {
	c.Flags().IntVar(limit, "limit", 50, "at most `N` on a page")
	c.Flags().StringVar(cursor, "cursor", "", "continue behind a page: its next `cursor`")
}

// more tells a person how to see the next page.
func (a *app) more(cursor string) {
	if cursor != "" && a.output == "text" {
		a.note("more follow: --cursor %s", cursor)
	}
}
