package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) role() *cobra.Command {
	c := &cobra.Command{
		Use: "role", Short: "Rights for a time: assume a role", GroupID: groupAccess,
		Long: `Rights for a time: assume a role. Roles are created by haven principal create --kind role, who may
assume them is said by haven policy update --trust.`,
		Example: `  haven role assume auditor --session amina`,
		Args:    noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.roleAssume())
	return c
}

func (a *app) roleAssume() *cobra.Command {
	var req client.AssumeRoleRequest
	var lasts time.Duration
	var file string
	c := &cobra.Command{
		Use: "assume ROLE", Short: "Get a token with the rights of a role",
		Long: `Get a token that has the rights of a role, and not those of who asks, until it ends by itself. It is
printed once. ROLE is an ARN, role/NAME or NAME. With --policy the session may no more than that allows.

Fields of --output json: id, arn, token, expires_at, replayed (the answer repeats an earlier one, whose
token it does not have).`,
		Example: `  haven role assume auditor --session amina
  export HAVEN_TOKEN=$(haven role assume auditor --session amina --duration 15m --output json | jq -r .token)`,
		Args: exactly("ROLE"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Role, req.DurationSeconds = args[0], int(lasts.Seconds())
			if file != "" {
				var err error
				if req.Policy, err = a.readDocument(file); err != nil {
					return err
				}
			}
			s, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Session, error) {
				return c.AssumeRole(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("session", s.ARN)
			t.add("token", s.Token)
			t.add("ends", when(s.ExpiresAt))
			return a.answer(s, &t)
		},
	}
	c.Flags().StringVar(&req.SessionName, "session", "", "a `NAME` for the session, in ARNs and records (required)")
	c.Flags().DurationVar(&lasts, "duration", 0, "how long it lasts, 15m to the role's most; 0: an hour")
	c.Flags().StringVar(&file, "policy", "", "a `file` with a session policy")
	required(c, "session")
	return c
}
