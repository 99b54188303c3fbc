package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) mac() *cobra.Command {
	var req client.GenerateMACRequest
	var in, out string
	c := &cobra.Command{
		Use: "mac", Short: "Make the MAC of up to 4 KiB", GroupID: groupUse,
		Long: `Make a MAC with an HMAC key's primary version, or the version KEY@N. The MAC is binary and whole.
Of what is longer than 4,096 bytes make the MAC of its digest.

Fields of --output json: mac (base64), algorithm, key_id, version.`,
		Example: `  haven mac --key alias/requests --in request.json --out request.mac`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.Message, err = a.readInput(in, maxUse); err != nil {
				return err
			}
			defer req.Message.Wipe()
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GenerateMACResponse, error) {
				return c.GenerateMAC(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.bytesOrJSON(out, answer.MAC, answer)
		},
	}
	keyFlag(c, &req.Key)
	inFlag(c, &in, "the message")
	outFlag(c, &out, "the MAC")
	algorithmFlag(c, &req.Algorithm, "HMAC_SHA_256")
	return c
}
