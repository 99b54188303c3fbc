package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) decapsulate() *cobra.Command {
	var req client.DecapsulateRequest
	var in, out string
	c := &cobra.Command{
		Use: "decapsulate", Short: "Get the secret that was encapsulated to a key", GroupID: groupUse,
		Long: `Get the secret of a ciphertext that haven encapsulate made. Name the version that it
showed, KEY@N; for a key that was rotated that is required. Another version's or an altered ciphertext
gives another secret, and no error (FIPS 203): what is done with the secret has to show that both
sides have the same. The secret is binary.

Fields of --output json: shared_secret (base64), algorithm, key_id, version.`,
		Example: `  haven decapsulate --key alias/sessions@1 --in session.kem --out session.key`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.Ciphertext, err = a.readInput(in, maxUse); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.DecapsulateResponse, error) {
				return c.Decapsulate(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.SharedSecret.Wipe()
			return a.bytesOrJSON(out, answer.SharedSecret, answer)
		},
	}
	keyFlag(c, &req.Key)
	inFlag(c, &in, "the ciphertext")
	outFlag(c, &out, "the secret")
	algorithmFlag(c, &req.Algorithm, "ML_KEM")
	return c
}
