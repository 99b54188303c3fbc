package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) verifyMAC() *cobra.Command {
	var req client.VerifyMACRequest
	var in, mac string
	c := &cobra.Command{
		Use: "verify-mac", Short: "Tell whether a MAC is valid", GroupID: groupUse,
		Long: `Tell whether a MAC is a key's: with KEY@N, that version's; with a bare key, that of any of its
versions that may still be used. It ends with 0 when it is, and with 1 when it is not.

Fields of --output json: valid, reason (incomplete when versions could not be asked), key_id,
version.`,
		Example: `  haven verify-mac --key alias/requests --mac request.mac --in request.json`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.MAC, err = a.readInput(mac, maxProof); err != nil {
				return err
			}
			if req.Message, err = a.readInput(in, maxUse); err != nil {
				return err
			}
			defer req.Message.Wipe()
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Verified, error) {
				return c.VerifyMAC(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.verdict("MAC", answer)
		},
	}
	keyFlag(c, &req.Key)
	inFlag(c, &in, "the message")
	algorithmFlag(c, &req.Algorithm, "HMAC_SHA_256")
	c.Flags().StringVar(&mac, "mac", "", "the MAC's `file` (required)")
	required(c, "mac")
	return c
}
