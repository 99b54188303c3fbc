package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// maxUse bounds what a use command reads: more than the server takes, so that it says so.
const maxUse = 32 << 10

// useFlags are what every command that uses a key takes.
type useFlags struct {
	in, out, key string
	context      []string
}

func (u *useFlags) add(c *cobra.Command, in, out string) {
	if in != "" {
		c.Flags().StringVar(&u.in, "in", "", in+"; `file` instead of stdin")
	}
	if out != "" {
		c.Flags().StringVar(&u.out, "out", "", out+"; a new `file` instead of stdout")
	}
	c.Flags().StringArrayVar(&u.context, "context", nil,
		"what the ciphertext is for, `NAME=VALUE`: authenticated, recorded in clear, needed again to decrypt; repeat for more")
}

func (a *app) encrypt() *cobra.Command {
	var use useFlags
	c := &cobra.Command{
		Use: "encrypt", Short: "Encrypt up to 4 KiB", GroupID: groupKeys,
		Long: `Encrypt up to 4 KiB with a key's primary version, or the version KEY@N. For more, encrypt under
a data key: see haven data-key. The ciphertext is binary and names its key and version.

Fields of --output json: ciphertext (base64), key_id, version.`,
		Example: `  haven encrypt --key alias/patients --context patient=7c1e --in allergy.json --out allergy.enc`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.EncryptRequest{Key: use.key}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			if req.Plaintext, err = a.readInput(use.in, maxUse); err != nil {
				return err
			}
			defer req.Plaintext.Wipe()
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.EncryptResponse, error) {
				return c.Encrypt(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.bytesOrJSON(use.out, answer.Ciphertext, answer)
		},
	}
	use.add(c, "the plaintext", "the ciphertext")
	c.Flags().StringVar(&use.key, "key", "", "the `KEY`: id, ARN or alias/NAME, perhaps @N (required)")
	required(c, "key")
	return c
}

// bytesOrJSON writes an answer's bytes, or with --output json the whole answer.
func (a *app) bytesOrJSON(out string, b []byte, answer any) error {
	if a.output == "json" && out == "" {
		return writeJSON(a.stdout, answer)
	}
	if err := a.writeBytes(out, b); err != nil || a.output != "json" {
		return err
	}
	return writeJSON(a.stdout, answer)
}
