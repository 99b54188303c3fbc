package main

import (
	"bufio"
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) decrypt() *cobra.Command {
	var use useFlags
	var envelope bool
	c := &cobra.Command{
		Use: "decrypt", Short: "Decrypt what encrypt or data-key made", GroupID: groupUse,
		Long: `Decrypt with the version that the ciphertext names. The context must be the one it was
encrypted for. What was encrypted to an RSA key names none: --key is required then.

An envelope is known by its first bytes and decrypted here, whatever its length; the server
decrypts its data key only. A file named by --out appears once the envelope was found whole and
unaltered. Stdout gets each chunk once that was found unaltered: use nothing of it unless the exit
code is 0.

Fields of --output json: plaintext (base64), key_id, version; of an envelope, which needs --out
then: key_id, version, plaintext_bytes, envelope_bytes.`,
		Example: `  haven decrypt --context patient=7c1e --in allergy.enc`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.DecryptRequest{Key: use.key, Algorithm: use.algorithm}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			in, err := a.open(c.Context(), use.in)
			if err != nil {
				return err
			}
			defer in.Close()
			from := bufio.NewReaderSize(in, 16) // to look at the first bytes; long reads pass it by
			first, _ := from.Peek(len(client.EnvelopeMagic))
			if envelope || string(first) == client.EnvelopeMagic {
				return a.decryptEnvelope(c.Context(), use, req.Context, from, in)
			}
			if req.Ciphertext, err = (&app{stdin: from}).readInput("", maxUse); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.DecryptResponse, error) {
				return c.Decrypt(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.Plaintext.Wipe()
			// A person who decrypts on a terminal wants to read it there.
			if use.out == "" && a.output == "text" {
				_, err := a.stdout.Write(answer.Plaintext)
				return err
			}
			return a.bytesOrJSON(use.out, answer.Plaintext, answer)
		},
	}
	use.add(c, "the ciphertext", "the plaintext")
	c.Flags().StringVar(&use.key, "key", "", "refuse a ciphertext of any other `KEY`")
	algorithmFlag(c, &use.algorithm, "RSAES_OAEP_SHA_256")
	c.Flags().BoolVar(&envelope, "envelope", false, "refuse what is no envelope")
	return c
}
