package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) encapsulate() *cobra.Command {
	var req client.EncapsulateRequest
	var out string
	c := &cobra.Command{
		Use: "encapsulate", Short: "Make a secret to share with a key's holder", GroupID: groupUse,
		Long: `Make a secret of 32 bytes, and the ciphertext that gives it to the holder of an ML-KEM key. With
--out the ciphertext goes to a file, in binary as haven decapsulate takes it. It does not name its
key: keep KEY@N, which is printed, beside it.

Fields of --output json: shared_secret (base64), ciphertext (base64), algorithm, key_id, version.`,
		Example: `  haven encapsulate --key alias/sessions --out session.kem --output json`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.EncapsulateResponse, error) {
				return c.Encapsulate(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.SharedSecret.Wipe()
			if out != "" {
				if err := a.writeBytes(out, answer.Ciphertext); err != nil {
					return err
				}
			}
			var t table
			t.add("shared secret", base64.StdEncoding.EncodeToString(answer.SharedSecret))
			t.add("ciphertext", base64.StdEncoding.EncodeToString(answer.Ciphertext))
			t.add("key", fmt.Sprintf("%s@%d", answer.KeyID, answer.Version))
			return a.answer(answer, &t)
		},
	}
	keyFlag(c, &req.Key)
	c.Flags().StringVar(&out, "out", "", "the ciphertext, in a new `file` too")
	algorithmFlag(c, &req.Algorithm, "ML_KEM")
	return c
}
