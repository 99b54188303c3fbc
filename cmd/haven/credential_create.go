package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// maxCertificateFile is more than a server takes.
const maxCertificateFile = 64 << 10

// makingFlags are those of what makes a credential.
type makingFlags struct{ expires, certificate string }

func (f *makingFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.expires, "expires-at", "", "the `time` from which it proves nobody, as 2027-01-01T00:00:00Z; empty: never")
	c.Flags().StringVar(&f.certificate, "certificate", "", "the PEM `file` of a client certificate")
}

func (f *makingFlags) read(a *app) (expires time.Time, certificate string, err error) {
	if expires, err = moment(f.expires); err != nil || f.certificate == "" {
		return expires, "", err
	}
	b, err := a.readInput(f.certificate, maxCertificateFile)
	return expires, string(b), err
}

func (a *app) credentialCreate() *cobra.Command {
	var req client.CreateCredentialRequest
	var kind string
	var flags makingFlags
	c := &cobra.Command{
		Use: "create", Short: "Give a principal a token, an access key or a client certificate",
		Long: `Give a principal a bearer token, an access key, or a client certificate that was made elsewhere: of
--principal, or you. A token and an access key's secret are shown now and never again. A certificate
is known by its fingerprint, whoever issued it, and ends with its own validity.

` + credentialFields,
		Example: `  haven credential create --principal clinic-api --type bearer --expires-at 2027-01-01T00:00:00Z
  haven credential create --principal clinic-api --type access-key
  haven credential create --principal clinic-api --type client-certificate --certificate clinic.pem`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.ExpiresAt, req.Certificate, err = flags.read(a); err != nil {
				return err
			}
			req.Type = client.CredentialType(kind)
			made, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Credential, error) {
				return c.CreateCredential(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(made, credentialRows(made))
		},
	}
	principalFlag(c, &req.Principal)
	c.Flags().StringVar(&kind, "type", "", "bearer, access-key or client-certificate (required)")
	flags.add(c)
	required(c, "type")
	return c
}
