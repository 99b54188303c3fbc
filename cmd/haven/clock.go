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
	var back bool
	c := &cobra.Command{
		Use: "accept", Short: "Take the server's wall clock as it is, after it jumped",
		Long: `Take the server's wall clock as it is, after it jumped and an alarm stands. Look at it first (date):
every deadline is compared with it from then on. It is recorded, from what time to what.

A clock that is behind the time the server believes is refused, and both times are told. With --back
it is taken all the same: for when a wrong clock was believed before. Rights that only a deadline ended
come back with the time; what was recorded as ended does not.

Fields of --output json: none.`,
		Example: `  haven clock accept
  haven clock accept --back`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (struct{}, error) {
				return struct{}{}, c.AcceptClock(ctx, back)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("accepted", "the server believes its wall clock")
			return a.answer(struct{}{}, &t)
		},
	}
	c.Flags().BoolVar(&back, "back", false, "take a clock that is behind what the server believes")
	return c
}
