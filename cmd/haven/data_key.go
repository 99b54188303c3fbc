package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) dataKey() *cobra.Command {
	var use useFlags
	var size int
	var without bool
	c := &cobra.Command{
		Use: "data-key", Short: "Make a data key, plain and encrypted", GroupID: groupKeys,
		Long: `Make a data key to encrypt with locally, and the same encrypted under a key of Haven's: keep
the encrypted one beside the data, and haven decrypt it to read the data again. Haven keeps
neither. With --out the encrypted data key goes to a file, in binary as haven decrypt takes it.

Fields of --output json: plaintext (base64; absent with --no-plaintext), ciphertext (base64),
key_id, version.`,
		Example: `  haven data-key --key alias/patients --context patient=7c1e --output json`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.GenerateDataKeyRequest{Key: use.key, Bytes: size}
			if without {
				req.Plaintext = new(bool)
			}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GenerateDataKeyResponse, error) {
				return c.GenerateDataKey(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.Plaintext.Wipe()
			if use.out != "" {
				if err := a.writeBytes(use.out, answer.Ciphertext); err != nil {
					return err
				}
			}
			var t table
			t.add("plaintext", base64.StdEncoding.EncodeToString(answer.Plaintext))
			t.add("ciphertext", base64.StdEncoding.EncodeToString(answer.Ciphertext))
			t.add("key", fmt.Sprintf("%s@%d", answer.KeyID, answer.Version))
			return a.answer(answer, &t)
		},
	}
	use.add(c, "", "the encrypted data key")
	c.Flags().StringVar(&use.key, "key", "", "the `KEY`: id, ARN or alias/NAME, perhaps @N (required)")
	c.Flags().IntVar(&size, "bytes", 32, "its length, 1 to 1,024 `bytes`")
	c.Flags().BoolVar(&without, "no-plaintext", false, "only the encrypted one")
	required(c, "key")
	return c
}
