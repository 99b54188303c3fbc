package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyActive() *cobra.Command {
	var req client.GetActiveKeyRequest
	var kind string
	c := &cobra.Command{
		Use: "active", Short: "Show the newest key in force of a type and purpose",
		Long:    "Show the newest enabled key, of a type and a purpose, whose primary is active. None is created.\n\n" + keyFields,
		Example: `  haven key active --type data --purpose "Patient data encryption"`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req.Type = client.KeyType(kind)
			key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
				return c.GetActiveKey(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(key, keyRows(key))
		},
	}
	c.Flags().StringVar(&kind, "type", "", "master, data, signing or transport (required)")
	c.Flags().StringVar(&req.Purpose, "purpose", "", "what the key is for; empty: anything")
	required(c, "type")
	return c
}
