package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) random() *cobra.Command {
	var size int
	var out string
	c := &cobra.Command{
		Use: "random", Short: "Random bytes from the server", GroupID: groupUse,
		Long: `Random bytes from the server, which keeps none. They are binary.

Fields of --output json: plaintext (base64).`,
		Example: `  haven random --bytes 32 --out nonce.bin
  haven random --bytes 16 --output json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if size < 1 {
				return usagef("--bytes is 1 to 1,024")
			}
			b, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (client.Sensitive, error) {
				return c.GenerateRandom(ctx, size)
			})
			if err != nil {
				return err
			}
			defer b.Wipe()
			return a.bytesOrJSON(out, b, struct {
				Plaintext client.Sensitive `json:"plaintext"`
			}{b})
		},
	}
	c.Flags().IntVar(&size, "bytes", 32, "how many `bytes`, 1 to 1,024")
	c.Flags().StringVar(&out, "out", "", "a new `file` instead of stdout")
	return c
}
