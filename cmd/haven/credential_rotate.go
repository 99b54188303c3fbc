package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) credentialRotate() *cobra.Command {
	var req client.RotateCredentialRequest
	var overlap time.Duration
	var flags makingFlags
	c := &cobra.Command{
		Use: "rotate CREDENTIAL", Short: "Replace a credential by another of its type",
		Long: `Replace a credential by another of its type. The old one goes on for the overlap, so that whatever uses
it can be given the new one meanwhile; with --overlap 0s it ends at once.
` + ownCredentials + `

` + credentialFields,
		Example: `  haven credential rotate AKIAQWERTYUIOPASDFGH --principal clinic-api
  haven credential rotate AKIAQWERTYUIOPASDFGH --principal clinic-api --overlap 0s`,
		Args: exactly("CREDENTIAL"),
		RunE: func(c *cobra.Command, args []string) error {
			if overlap < 0 || overlap%time.Second != 0 {
				return usagef("--overlap is whole seconds, such as 24h or 0s")
			}
			seconds := int(overlap / time.Second)
			req.Credential, req.OverlapSeconds = args[0], &seconds
			var err error
			if req.ExpiresAt, req.Certificate, err = flags.read(a); err != nil {
				return err
			}
			made, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Credential, error) {
				return c.RotateCredential(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(made, credentialRows(made))
		},
	}
	principalFlag(c, &req.Principal)
	c.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old one goes on, at most 720h")
	flags.add(c)
	return c
}
