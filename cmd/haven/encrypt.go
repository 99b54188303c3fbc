package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/keys"
)

// maxUse bounds what a use command reads: more than the server takes, so that it says so.
const maxUse = 32 << 10

// useFlags are what every command that uses a key takes.
type useFlags struct {
	in, out, key, algorithm string
	context                 []string
}

func (u *useFlags) add(c *cobra.Command, in, out string) {
	if in != "" {
		inFlag(c, &u.in, in)
	}
	if out != "" {
		outFlag(c, &u.out, out)
	}
	c.Flags().StringArrayVar(&u.context, "context", nil,
		"what the ciphertext is for, `NAME=VALUE`: authenticated, recorded in clear, needed again to decrypt; repeat for more")
}

func (a *app) encrypt() *cobra.Command {
	var use useFlags
	var envelope bool
	c := &cobra.Command{
		Use: "encrypt", Short: "Encrypt up to 4 KiB, or anything with --envelope", GroupID: groupUse,
		Long: `Encrypt up to 4 KiB with a key's primary version, or the version KEY@N. The ciphertext is
binary and names its key and version; that of an RSA key, which encrypts less and takes no context,
does not: keep KEY@N beside it.

With --envelope the input may have any length: it is encrypted here, in chunks, under a new data
key, which comes along encrypted under KEY; the server sees neither. A file named by --out appears
once it is whole. An input from a pipe is taken for whole when the pipe ends: let the shell tell
whether what filled it failed (set -o pipefail).

Fields of --output json: ciphertext (base64), key_id, version, algorithm (of an RSA key); with
--envelope, which needs --out then: key_id, version, plaintext_bytes, envelope_bytes.`,
		Example: `  haven encrypt --key alias/patients --context patient=7c1e --in allergy.json --out allergy.enc
  haven encrypt --envelope --key alias/patients --context patient=7c1e --in scan.dcm --out scan.enc`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req := client.EncryptRequest{Key: use.key, Algorithm: use.algorithm}
			var err error
			if req.Context, err = pairs("--context", use.context); err != nil {
				return err
			}
			if envelope {
				return a.encryptEnvelope(c.Context(), use, req.Context)
			}
			if req.Plaintext, err = a.readMessage(c.Context(), use.in); err != nil {
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
	keyFlag(c, &use.key)
	algorithmFlag(c, &use.algorithm, "RSAES_OAEP_SHA_256")
	c.Flags().BoolVar(&envelope, "envelope", false, "encrypt here, under a data key: any length")
	c.MarkFlagsMutuallyExclusive("algorithm", "envelope")
	return c
}

// readMessage reads what the server encrypts, and says what encrypts more.
func (a *app) readMessage(ctx context.Context, name string) ([]byte, error) {
	in, err := a.open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, keys.MaxPlaintext+1))
	if err != nil {
		return nil, fmt.Errorf("reading the input: %w", err)
	}
	if len(b) > keys.MaxPlaintext {
		clear(b)
		return nil, fmt.Errorf("the input is over %d bytes: encrypt it with --envelope", keys.MaxPlaintext)
	}
	return b, nil
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
