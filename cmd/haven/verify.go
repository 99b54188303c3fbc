package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// maxProof bounds a signature or MAC: the longest there is has 4,627 bytes.
const maxProof = 8 << 10

func (a *app) verify() *cobra.Command {
	from := messageFlags{verifies: true}
	var signature string
	c := &cobra.Command{
		Use: "verify", Short: "Tell whether a signature is valid", GroupID: groupUse,
		Long: `Tell whether a signature is a key's: with KEY@N, that version's; with a bare key, that of any of
its versions, those destroyed in good order included. It ends with 0 when it is, and with 1 when
it is not, saying why. A signature of a compromised version is not valid.

` + messageHelp + `

Fields of --output json: valid, reason (why not, where there is more to say: compromised, or
incomplete when versions could not be asked), key_id, version.`,
		Example: `  haven verify --key alias/discharge --signature letter.sig --in letter.pdf`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.readInput(signature, maxProof)
			if err != nil {
				return err
			}
			m, err := from.read(c.Context(), a)
			if err != nil {
				return err
			}
			defer m.whole.Wipe()
			req := client.VerifyRequest{
				Key: from.key, Message: m.whole, Digest: m.digest, Signature: s, Algorithm: from.algorithm,
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Verified, error) {
				return c.Verify(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.verdict("signature", answer)
		},
	}
	from.add(c)
	c.Flags().StringVar(&signature, "signature", "", "the signature's `file` (required)")
	required(c, "signature")
	return c
}
