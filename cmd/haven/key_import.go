package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// maxMaterial bounds material and what wraps it: an RSA_4096 key as PEM has about 3,300 bytes, the
// server takes 6,144 of what is wrapped.
const maxMaterial = 8 << 10

// importFlags are what haven key import is given.
type importFlags struct {
	in, encrypted, token, publicKey, validTo string
	parameters                               bool
	algorithm, spec                          string
}

func (a *app) keyImport() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use: "import KEY", Short: "Import material into a key that was created with --origin EXTERNAL",
		Long: `Import material made elsewhere: it becomes the key's primary version. The material is wrapped here,
to a one-time key of the server's; it leaves this machine only wrapped. It is 32 bytes for AES, as
many as the spec wants for HMAC, and PKCS #8, in DER or PEM, for RSA, EC and Ed25519 keys. KEY@N
brings the same material of version N back, after it ended or was deleted, or gives it another end.

Where the material must not come to this machine, --parameters writes the public key to wrap it with,
as PEM, and a token; wrap it within 24 hours, where it is, and send it with --encrypted. docs/import.md
has the commands of OpenSSL for that.

` + keyReference + "\n\n" + keyFields + `
With --parameters: key_id, version, spec, wrapping_algorithm, wrapping_key_spec, public_key and
import_token (base64), valid_to.`,
		Example: `  haven key import alias/shared --in key.bin --valid-to 2027-12-31T00:00:00Z
  haven key import alias/shared --parameters --public-key wrapping.pem --token token.bin
  haven key import alias/shared --encrypted wrapped.bin --token token.bin`,
		Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case f.parameters:
				return a.importParameters(c.Context(), args[0], &f)
			case f.encrypted != "":
				return a.importWrapped(c.Context(), args[0], &f)
			}
			return a.importPlain(c.Context(), args[0], &f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.in, "in", "", "the material; `file` instead of stdin")
	flags.StringVar(&f.validTo, "valid-to", "", "when the material ends, a `TIME` as 2027-12-31T00:00:00Z; empty: never")
	flags.BoolVar(&f.parameters, "parameters", false, "only get what to wrap the material with")
	flags.StringVar(&f.publicKey, "public-key", "", "with --parameters, a new `file` for the public key to wrap with")
	flags.StringVar(&f.token, "token", "", "the `file` of the token: new with --parameters, to read with --encrypted")
	flags.StringVar(&f.encrypted, "encrypted", "", "the `file` of material that was wrapped elsewhere")
	flags.StringVar(&f.algorithm, "wrapping-algorithm", "", "with --parameters: RSAES_OAEP_SHA_256 or, the default for RSA keys, RSA_AES_KEY_WRAP_SHA_256")
	flags.StringVar(&f.spec, "wrapping-key-spec", "", "with --parameters: RSA_4096, the default, RSA_3072 or RSA_2048")
	c.MarkFlagsMutuallyExclusive("parameters", "encrypted", "in")
	return c
}

func (f *importFlags) end() (time.Time, error) {
	if f.validTo == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, f.validTo)
	if err != nil {
		return t, usagef("--valid-to is a time such as 2027-12-31T00:00:00Z")
	}
	return t, nil
}

// importPlain wraps the material here.
func (a *app) importPlain(ctx context.Context, key string, f *importFlags) error {
	ends, err := f.end()
	if err != nil {
		return err
	}
	given, err := a.readInput(f.in, maxMaterial)
	if err != nil {
		return err
	}
	defer clear(given)
	material, err := materialOf(given)
	if err != nil {
		return err
	}
	defer clear(material)
	return a.imported(ctx, func(ctx context.Context, c *client.Client) (*client.Key, error) {
		return c.Import(ctx, key, material, ends)
	})
}

// materialOf decodes PEM; what is not PEM is the material itself.
func materialOf(given []byte) ([]byte, error) {
	if !bytes.HasPrefix(given, []byte("-----BEGIN ")) {
		return given, nil
	}
	block, rest := pem.Decode(given)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("the PEM is to be one PRIVATE KEY (PKCS #8, not encrypted): openssl pkcs8 -topk8 -nocrypt makes it")
	}
	return block.Bytes, nil
}

// importWrapped sends material that was wrapped elsewhere.
func (a *app) importWrapped(ctx context.Context, key string, f *importFlags) error {
	if f.token == "" {
		return usagef("--encrypted goes with --token, the file that --parameters wrote")
	}
	req := client.ImportKeyMaterialRequest{Key: key}
	var err error
	if req.ValidTo, err = f.end(); err != nil {
		return err
	}
	if req.ImportToken, err = a.readInput(f.token, maxMaterial); err != nil {
		return err
	}
	if req.EncryptedMaterial, err = a.readInput(f.encrypted, maxMaterial); err != nil {
		return err
	}
	return a.imported(ctx, func(ctx context.Context, c *client.Client) (*client.Key, error) {
		return c.ImportKeyMaterial(ctx, req)
	})
}

func (a *app) imported(ctx context.Context, do func(context.Context, *client.Client) (*client.Key, error)) error {
	key, err := call(ctx, a, do)
	if err != nil {
		return err
	}
	return a.answer(key, keyRows(key))
}

// importParameters writes what to wrap with.
func (a *app) importParameters(ctx context.Context, key string, f *importFlags) error {
	if f.token == "" || f.publicKey == "" {
		return usagef("--parameters goes with --public-key and --token, the files to write")
	}
	p, err := call(ctx, a, func(ctx context.Context, c *client.Client) (*client.ImportParameters, error) {
		return c.GetParametersForImport(ctx, client.GetParametersForImportRequest{Key: key, WrappingAlgorithm: f.algorithm, WrappingKeySpec: f.spec})
	})
	if err != nil {
		return err
	}
	if err := a.writeBytes(f.publicKey, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p.PublicKey})); err != nil {
		return err
	}
	if err := a.writeBytes(f.token, p.ImportToken); err != nil {
		return err
	}
	var t table
	t.add("key", fmt.Sprintf("%s@%d, %s", p.KeyID, p.Version, p.Spec))
	t.add("wrap by", fmt.Sprintf("%s, to %s", p.WrappingAlgorithm, f.publicKey))
	t.add("token", f.token)
	t.add("valid to", when(p.ValidTo))
	return a.answer(p, &t)
}
