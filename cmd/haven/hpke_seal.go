package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// maxSeal bounds what the HPKE commands read: more than the server takes, so that it says so.
const maxSeal = 80 << 10

func (a *app) hpkeSeal() *cobra.Command {
	var use useFlags
	c := &cobra.Command{
		Use: "hpke-seal", Short: "Seal up to 64 KiB to a transport key", GroupID: groupUse,
		Long: `Seal a message (HPKE, RFC 9180) to a transport key's primary version, or the version KEY@N. Only
the key opens it. It does not tell who sealed it: sign the message too where that matters. The
sealed message is binary and names its key and version.

Fields of --output json: ciphertext (base64), key_id, version.`,
		Example: `  haven hpke-seal --key alias/camp-3-inbox --context patient=7c1e --in record.json --out record.sealed`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.HPKESealRequest{Key: use.key}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			if req.Plaintext, err = a.readInput(use.in, maxSeal); err != nil {
				return err
			}
			defer req.Plaintext.Wipe()
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.HPKESealResponse, error) {
				return c.HPKESeal(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.bytesOrJSON(use.out, answer.Ciphertext, answer)
		},
	}
	use.add(c, "the message", "the sealed message")
	keyFlag(c, &use.key)
	return c
}
