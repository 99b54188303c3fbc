package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func (a *app) sealStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show which seals unlock a store",
		Long:    "Show which seals unlock a store. No seal is needed for that.\n\n" + slotFields,
		Example: `  haven seal status --data /var/lib/haven`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			folder, err := a.folder()
			if err != nil {
				return err
			}
			locked, err := a.existing(c.Context(), folder)
			if err != nil {
				return err
			}
			return errors.Join(a.answerSlots(locked.Slots()), locked.Close())
		},
	}
}
