package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) clock() *cobra.Command {
	c := &cobra.Command{
		Use: "clock", Short: "Accept a clock that jumped", GroupID: groupOperate,
		Long:    "What the server believes of the time. While it does not believe the wall clock, haven_clock_alarm\nis 1 in /metrics.",
		Example: `  haven clock accept`,
		Args:    noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.clockAccept())
	return c
}

func (a *app) clockAccept() *cobra.Command {
	return &cobra.Command{
		Use: "accept", Short: "Take the server's wall clock as it is, after it jumped",
		Long: `Take the server's wall clock as it is, after it jumped and an alarm stands. Look at it first: every
deadline is compared with it from then on, and time never goes back.

Fields of --output json: none.`,
		Example: `  haven clock accept`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (struct{}, error) {
				return struct{}{}, c.AcceptClock(ctx)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("accepted", "the server believes its wall clock")
			return a.answer(struct{}{}, &t)
		},
	}
}
