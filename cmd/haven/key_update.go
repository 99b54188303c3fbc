package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyUpdate() *cobra.Command {
	var req client.UpdateKeyRequest
	var days periods
	var description, owner string
	c := a.oneKey("update KEY", "Change a key's purpose, description, owner, periods or master",
		"Change what a key says of itself, its periods, or which master key wraps it; what is not given stays.",
		`  haven key update alias/patients --rotation-days 60
  haven key update alias/patients --master alias/new-master`, nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		req.Key = args[0]
		for name, set := range map[string]func(){
			"description": func() { req.Description = &description },
			"owner":       func() { req.Owner = &owner },
		} {
			if c.Flags().Changed(name) {
				set()
			}
		}
		days.into(c, &req.RotationDays, &req.GraceDays, &req.LifetimeDays)
		key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
			return c.UpdateKey(ctx, req)
		})
		if err != nil {
			return err
		}
		return a.answer(key, keyRows(key))
	}
	c.Flags().StringVar(&req.Purpose, "purpose", "", "what the key is for")
	c.Flags().StringVar(&description, "description", "", "what else there is to say of it; empty: nothing")
	c.Flags().StringVar(&owner, "owner", "", "who answers for it; empty: nobody")
	c.Flags().StringVar(&req.Master, "master", "", "the master `KEY` that shall wrap it, with all its versions")
	days.flags(c)
	return c
}
