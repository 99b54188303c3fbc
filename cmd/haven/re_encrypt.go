package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) reEncrypt() *cobra.Command {
	var use useFlags
	var req client.ReEncryptRequest
	var source []string
	c := &cobra.Command{
		Use: "re-encrypt", Short: "Decrypt and encrypt anew, unseen", GroupID: groupUse,
		Long: `Decrypt a ciphertext and encrypt what it holds under another key, or under the primary version
of its own. The plaintext does not leave the server. --context is that of both ciphertexts, unless
--source-context says that the old one has another.

Fields of --output json: ciphertext (base64), key_id, version, algorithm (of an RSA key),
source_key_id, source_version.`,
		Example: `  haven re-encrypt --key alias/patients --context patient=7c1e --in old.enc --out new.enc`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			req.SourceContext = req.Context
			if c.Flags().Changed("source-context") {
				if req.SourceContext, err = pairs("--source-context", source); err != nil {
					return err
				}
			}
			if req.Ciphertext, err = a.readInput(use.in, maxUse); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.ReEncryptResponse, error) {
				return c.ReEncrypt(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.bytesOrJSON(use.out, answer.Ciphertext, answer)
		},
	}
	use.add(c, "the ciphertext", "the new ciphertext")
	keyFlag(c, &req.Key)
	algorithmFlag(c, &req.Algorithm, "RSAES_OAEP_SHA_256")
	c.Flags().StringArrayVar(&source, "source-context", nil, "the old ciphertext's context where it is another, `NAME=VALUE`; repeat for more")
	c.Flags().StringVar(&req.SourceKey, "source-key", "", "the old ciphertext's `KEY`: needed for an RSA key, else it refuses any other")
	c.Flags().StringVar(&req.SourceAlgorithm, "source-algorithm", "", "the old ciphertext's, unless it is its RSA key's first")
	return c
}
