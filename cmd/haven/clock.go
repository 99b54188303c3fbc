package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) clock() *cobra.Command {
	c := &cobra.Command{
		Use: "clock", Short: "Accept a clock that jumped; let time pass for a development server", GroupID: groupOperate,
		Long: "What the server believes of the time. While it does not believe the wall clock, haven_clock_alarm\nis 1 in /metrics.",
		Example: `  haven clock accept
  haven clock advance 90d`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.clockAccept(), a.clockAdvance())
	return c
}

func (a *app) clockAdvance() *cobra.Command {
	return &cobra.Command{
		Use: "advance TIME", Short: "Let time pass for a development server",
		Long: `Let time pass for a development server, haven dev, at most ten years at once: every deadline comes, and
the checks of what is due are made on the way. There is no way back. Requests that are signed as for AWS
are refused from then on, unless the client's clock is moved as well: use the token.

Fields of --output json: now, checks (made on the way), done, failed (by them).`,
		Example: `  haven clock advance 90d
  haven clock advance 12h`,
		Args: exactly("TIME"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := duration(args[0])
			if err != nil {
				return err
			}
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.ClockAdvance, error) {
				return c.AdvanceClock(ctx, d)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("now", when(out.Now))
			t.add("checks", strconv.Itoa(out.Checks))
			t.add("done", strconv.FormatUint(out.Done, 10))
			t.add("failed", strconv.FormatUint(out.Failed, 10))
			return a.answer(out, &t)
		},
	}
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
