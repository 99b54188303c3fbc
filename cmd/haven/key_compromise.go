package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyCompromise() *cobra.Command {
	req := client.MarkCompromisedRequest{}
	var keep bool
	c := &cobra.Command{
		Use: "compromise KEY", Short: "Revoke a version, or a whole key, at once and for good",
		Long: `Revoke a version (KEY@N) or every version of a key, for everyone and for good. When this has
returned, no use that begins afterwards succeeds. A compromised primary is replaced at once
unless told not to.

` + keyReference + "\n\n" + keyFields + `
Besides, revoked: KEY_ID@N, or KEY_ID when every version was.`,
		Example: `  haven key compromise alias/patients@1 --reason "laptop stolen at the border"`,
		Args:    exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Key = args[0]
			if keep {
				req.NewPrimary = new(bool)
			}
			key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
				return c.MarkCompromised(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answerRevoked(key, args[0])
		},
	}
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for the record (required)")
	c.Flags().BoolVar(&keep, "no-new-primary", false, "do not replace a compromised primary (with KEY@N only)")
	required(c, "reason")
	return c
}

// revokedAnswer is the key as it is now, and what of it was revoked.
type revokedAnswer struct {
	client.Key
	Revoked string `json:"revoked"`
}

// answerRevoked tells what was revoked first: the rows that follow show the primary, which is
// another version or none.
func (a *app) answerRevoked(key *client.Key, named string) error {
	out := revokedAnswer{Key: *key, Revoked: key.KeyID}
	what := fmt.Sprintf("every version, 1 to %d", key.Versions)
	if _, version, found := strings.Cut(named, "@"); found {
		out.Revoked += "@" + version
		what = "version " + version
	}
	var t table
	t.add("revoked", what)
	t.rows = append(t.rows, keyRows(key).rows...)
	return a.answer(out, &t)
}
