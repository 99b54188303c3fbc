package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/keys"
)

func (a *app) keyDisable() *cobra.Command {
	var text string
	var d time.Duration
	c := a.oneKey("disable KEY", "Suspend a key, reversibly, or for a time",
		`Suspend a key, until it is enabled or for a time. When this has returned, no use that begins
afterwards succeeds. With --for the key comes back by itself; its first use after that is preceded by
a record of it. A suspension that stands is never shortened: enable the key first.`,
		`  haven key disable alias/patients
  haven key disable alias/patients --for 1h`,
		func(ctx context.Context, c *client.Client, key string) (*client.Key, error) {
			if text == "" {
				return c.DisableKey(ctx, key)
			}
			return c.DisableKeyFor(ctx, key, d)
		})
	c.Flags().StringVar(&text, "for", "", `how long: "1h", "90m", "2d12h", at most 30 days (default: until it is enabled)`)
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if !c.Flags().Changed("for") {
			return nil
		}
		span, err := keys.ParseSpan(text)
		if err != nil {
			return usagef("--for: %v", err)
		}
		d = time.Duration(span)
		return nil
	}
	return c
}
