package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) publicKey() *cobra.Command {
	var key, out, format string
	c := &cobra.Command{
		Use: "public-key", Short: "Show the public half of a key pair", GroupID: groupUse,
		Long: `Show the public half of a key's primary version, or of the version KEY@N, even of one that was
destroyed. The format is pem (X.509 SubjectPublicKeyInfo), der (the same, binary) or jwk. HPKE keys
have der alone: the KEM id and the serialised key of RFC 9180. ML-KEM keys have no jwk.

Fields of --output json: key_id, version, state, spec, key_usage, algorithms, public_key (der in
base64), pem, jwk, thumbprint (RFC 7638), fingerprint (SHA-256 of der).`,
		Example: `  haven public-key --key alias/discharge --out discharge.pem
  haven public-key --key alias/discharge@1 --format jwk`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "pem" && format != "der" && format != "jwk" {
				return usagef("--format is pem, der or jwk")
			}
			public, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.PublicKey, error) {
				return c.GetPublicKey(ctx, key)
			})
			if err != nil {
				return err
			}
			if public.State == client.Compromised {
				a.note("%s@%d is compromised: believe nothing that it verifies", public.KeyID, public.Version)
			}
			b := map[string][]byte{"pem": []byte(public.PEM), "der": public.PublicKey, "jwk": public.JWK}[format]
			switch {
			case a.output == "json" && out == "":
				return writeJSON(a.stdout, public)
			case len(b) == 0:
				return fmt.Errorf("no standard has a %s of keys of spec %s: use --format der", format, public.Spec)
			case format != "der" && out == "": // text, which a terminal may show
				_, err := a.stdout.Write(b)
				return err
			}
			return a.bytesOrJSON(out, b, public)
		},
	}
	keyFlag(c, &key)
	outFlag(c, &out, "the public key")
	c.Flags().StringVar(&format, "format", "pem", "pem, der or jwk")
	return c
}
