package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) hpkeOpen() *cobra.Command {
	var use useFlags
	c := &cobra.Command{
		Use: "hpke-open", Short: "Open a message that was sealed to a transport key", GroupID: groupUse,
		Long: `Open a message with the version that it names. The context must be the one it was sealed for.

Fields of --output json: plaintext (base64), key_id, version.`,
		Example: `  haven hpke-open --context patient=7c1e --in record.sealed --out record.json`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.HPKEOpenRequest{Key: use.key}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			if req.Ciphertext, err = a.readInput(use.in, maxSeal); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.HPKEOpenResponse, error) {
				return c.HPKEOpen(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.Plaintext.Wipe()
			// As with decrypt: a person on a terminal wants to read it there.
			if use.out == "" && a.output == "text" {
				_, err := a.stdout.Write(answer.Plaintext)
				return err
			}
			return a.bytesOrJSON(use.out, answer.Plaintext, answer)
		},
	}
	use.add(c, "the sealed message", "the message")
	c.Flags().StringVar(&use.key, "key", "", "refuse a message that was sealed to any other `KEY`")
	return c
}
