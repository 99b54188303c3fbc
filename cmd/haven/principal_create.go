package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) principalCreate() *cobra.Command {
	var req client.CreatePrincipalRequest
	var kind string
	var tags []string
	var trust string
	var session time.Duration
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a user, a service or a role",
		Long: `Create a principal: a user is a person, a service a program, a role what others assume. It has no
credential and no right until it is given some; what another had under the same name it has not.

` + principalFields,
		Example: `  haven principal create --kind user amina --tag team=clinic
  haven principal create --kind service clinic-api
  haven principal create --kind role auditor --trust trust.json --max-session 4h`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if req.Tags, err = pairs("--tag", tags); err != nil {
				return err
			}
			if trust != "" {
				if req.Trust, err = a.readDocument(trust); err != nil {
					return err
				}
			}
			req.MaxSessionSeconds = int(session.Seconds())
			req.Name, req.Kind = args[0], client.PrincipalKind(kind)
			p, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Principal, error) {
				return c.CreatePrincipal(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(p, principalRows(p))
		},
	}
	c.Flags().StringVar(&kind, "kind", "user", "user, service or role")
	c.Flags().StringArrayVar(&tags, "tag", nil, "a tag, `NAME=VALUE`; repeat for more")
	c.Flags().StringVar(&trust, "trust", "", "a `file` with the policy that says who may assume a role; nobody where there is none")
	c.Flags().DurationVar(&session, "max-session", 0, "how long a role's sessions last at most, 1h to 12h; 0: 1h")
	return c
}
