package main

import (
	"context"
	"encoding/pem"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) agree() *cobra.Command {
	var req client.DeriveSharedSecretRequest
	var peer, out string
	c := &cobra.Command{
		Use: "agree", Short: "Agree on a secret with the holder of another key", GroupID: groupUse,
		Long: `Compute the secret that a key agreement key shares with the holder of a public key of the same
curve (ECDH). Both sides have to mean the same version: a key that was rotated has to be named with the
version that haven public-key showed, KEY@N. The secret is binary and no key yet: derive keys from it
by a KDF that binds both public keys.

Fields of --output json: shared_secret (base64), algorithm, key_id, version.`,
		Example: `  haven agree --key alias/laboratory --peer laboratory.pem --out shared.bin`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.PublicKey, err = a.readInput(peer, maxUse); err != nil {
				return err
			}
			if block, _ := pem.Decode(req.PublicKey); block != nil {
				req.PublicKey = block.Bytes
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.DeriveSharedSecretResponse, error) {
				return c.DeriveSharedSecret(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.SharedSecret.Wipe()
			return a.bytesOrJSON(out, answer.SharedSecret, answer)
		},
	}
	keyFlag(c, &req.Key)
	c.Flags().StringVar(&peer, "peer", "", "the other's public key, PEM or DER; `file` instead of stdin")
	outFlag(c, &out, "the secret")
	algorithmFlag(c, &req.Algorithm, "ECDH")
	return c
}
