package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) dataKey() *cobra.Command {
	var use useFlags
	var size int
	var without bool
	var pair string
	c := &cobra.Command{
		Use: "data-key", Short: "Make a data key, plain and encrypted", GroupID: groupUse,
		Long: `Make a data key to encrypt with locally, and the same encrypted under a key of Haven's: keep
the encrypted one beside the data, and haven decrypt it to read the data again. Haven keeps
neither. With --out the encrypted data key goes to a file, in binary as haven decrypt takes it.
With --pair it is a key pair; its private key is PKCS #8 in DER, its public key the DER of an X.509
SubjectPublicKeyInfo.

Fields of --output json: plaintext (base64; absent with --no-plaintext), ciphertext (base64),
key_id, version; with --pair private_key_plaintext, private_key_ciphertext, public_key and
key_pair_spec in place of the first two.`,
		Example: `  haven data-key --key alias/patients --context patient=7c1e --output json
  haven data-key --key alias/patients --pair ECC_NIST_P256 --out tablet.key --output json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if size < 1 {
				return usagef("--bytes is 1 to 1,024")
			}
			ec, err := pairs("--context", use.context)
			if err != nil {
				return err
			}
			var plain *bool
			if without {
				plain = new(bool)
			}
			if pair != "" {
				return a.dataKeyPair(c.Context(), client.GenerateDataKeyPairRequest{Key: use.key, KeyPairSpec: pair, Context: ec, Plaintext: plain}, use.out)
			}
			req := client.GenerateDataKeyRequest{Key: use.key, Bytes: size, Context: ec, Plaintext: plain}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GenerateDataKeyResponse, error) {
				return c.GenerateDataKey(ctx, req)
			})
			if err != nil {
				return err
			}
			defer answer.Plaintext.Wipe()
			if use.out != "" {
				if err := a.writeBytes(use.out, answer.Ciphertext); err != nil {
					return err
				}
			}
			var t table
			t.add("plaintext", base64.StdEncoding.EncodeToString(answer.Plaintext))
			t.add("ciphertext", base64.StdEncoding.EncodeToString(answer.Ciphertext))
			t.add("key", fmt.Sprintf("%s@%d", answer.KeyID, answer.Version))
			return a.answer(answer, &t)
		},
	}
	use.add(c, "", "the encrypted data key")
	keyFlag(c, &use.key)
	c.Flags().IntVar(&size, "bytes", 32, "its length, 1 to 1,024 `bytes`")
	c.Flags().BoolVar(&without, "no-plaintext", false, "only the encrypted one")
	c.Flags().StringVar(&pair, "pair", "", "a key pair of this `SPEC` instead, such as RSA_2048 or ECC_NIST_P256")
	c.MarkFlagsMutuallyExclusive("bytes", "pair")
	return c
}

func (a *app) dataKeyPair(ctx context.Context, req client.GenerateDataKeyPairRequest, out string) error {
	answer, err := call(ctx, a, func(ctx context.Context, c *client.Client) (*client.GenerateDataKeyPairResponse, error) {
		return c.GenerateDataKeyPair(ctx, req)
	})
	if err != nil {
		return err
	}
	defer answer.PrivateKeyPlaintext.Wipe()
	if out != "" {
		if err := a.writeBytes(out, answer.PrivateKeyCiphertext); err != nil {
			return err
		}
	}
	var t table
	t.add("private key", base64.StdEncoding.EncodeToString(answer.PrivateKeyPlaintext))
	t.add("encrypted", base64.StdEncoding.EncodeToString(answer.PrivateKeyCiphertext))
	t.add("public key", base64.StdEncoding.EncodeToString(answer.PublicKey))
	t.add("key", fmt.Sprintf("%s@%d", answer.KeyID, answer.Version))
	return a.answer(answer, &t)
}
