package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) decrypt() *cobra.Command {
	var use useFlags
	c := &cobra.Command{
		Use: "decrypt", Short: "Decrypt what encrypt or data-key made", GroupID: groupKeys,
		Long: `Decrypt with the version that the ciphertext names. The context must be the one it was
encrypted for.

Fields of --output json: plaintext (base64), key_id, version.`,
		Example: `  haven decrypt --context patient=7c1e --in allergy.enc`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.DecryptRequest{Key: use.key}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			if req.Ciphertext, err = a.readInput(use.in, maxUse); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.DecryptResponse, error) {
				return c.Decrypt(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.Plaintext.Wipe()
			// A person who decrypts on a terminal wants to read it there.
			if use.out == "" && a.output == "text" {
				_, err := a.stdout.Write(answer.Plaintext)
				return err
			}
			return a.bytesOrJSON(use.out, answer.Plaintext, answer)
		},
	}
	use.add(c, "the ciphertext", "the plaintext")
	c.Flags().StringVar(&use.key, "key", "", "refuse a ciphertext of any other `KEY`")
	return c
}
