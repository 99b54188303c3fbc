package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/seal"
)

func (a *app) sealMigrate() *cobra.Command {
	var given sealFlags
	var approval *gate.ID
	var to string
	c := &cobra.Command{
		Use: "migrate", Short: "Attach a seal, in place of another or beside it",
		Long: `Attach a seal in the slot named: in place of the one there, which must be presented too, or
beside the others in a new slot. What sealed the slot before opens old copies of the store still:
after a loss, detach the slot and rotate.

` + sealHelp + "\n\n" + approvalHelp + "\n\n" + slotFields,
		Example: `  haven seal migrate --data /var/lib/haven --to recovery=passphrase
  haven seal migrate --data /var/lib/haven --seal keyfile --to 'daily=awskms://alias/haven?region=eu-west-1'`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			slot, spec := splitSeal(to)
			return a.unlocked(c.Context(), &given, func(system *haven.System, open *opener, seals map[string]seal.Seal) error {
				open.make = true
				next, err := open.open(c.Context(), slot, spec)
				if err != nil {
					return fmt.Errorf("the new seal: %w", err)
				}
				if err := system.MigrateSeal(c.Context(), slot, seals[slot], next, *approval); err != nil {
					return err
				}
				slots, err := system.Slots(c.Context())
				if err != nil {
					return err
				}
				return a.answerSlots(slots)
			})
		},
	}
	given.add(c, "an attached seal")
	approval = approvalFlag(c)
	c.Flags().StringVar(&to, "to", "", "the new seal, `[SLOT=]SPEC` (required)")
	required(c, "to")
	return c
}
