package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) sign() *cobra.Command {
	var from messageFlags
	var out string
	c := &cobra.Command{
		Use: "sign", Short: "Sign a message or its digest", GroupID: groupUse,
		Long: `Sign with a signing key's primary version, or the version KEY@N. The signature is binary: DER
for ECDSA, else the bytes of the algorithm's standard.

` + messageHelp + `

Fields of --output json: signature (base64), algorithm, key_id, version.`,
		Example: `  haven sign --key alias/discharge --in letter.pdf --out letter.sig
  openssl dgst -sha256 -binary letter.pdf | haven sign --key alias/discharge --digest --out letter.sig`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := from.read(c.Context(), a)
			if err != nil {
				return err
			}
			defer m.whole.Wipe()
			req := client.SignRequest{Key: from.key, Message: m.whole, Digest: m.digest, ExternalMu: m.mu, Algorithm: from.algorithm}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.SignResponse, error) {
				return c.Sign(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.bytesOrJSON(out, answer.Signature, answer)
		},
	}
	from.add(c)
	outFlag(c, &out, "the signature")
	return c
}
