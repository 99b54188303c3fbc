package main

import (
	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/seal"
)

func (a *app) sealRotate() *cobra.Command {
	var given sealFlags
	var approval *gate.ID
	c := &cobra.Command{
		Use: "rotate", Short: "Replace the root key",
		Long: `Replace the root key and wrap anew all that it wraps. Every attached seal must be presented, so
that whoever no longer holds the recovery seal learns it before anything changed. The seals stay
the same; a seal that was lost is replaced with haven seal migrate. A rotation that was
interrupted is finished at the next start.

` + sealHelp + "\n\n" + approvalHelp + "\n\n" + slotFields,
		Example: `  haven seal rotate --data /var/lib/haven --seal keyfile:/etc/haven/seal.key --recovery-seal passphrase`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.unlocked(c.Context(), &given, func(system *haven.System, _ *opener, seals map[string]seal.Seal) error {
				a.progress("wrapping anew…")
				if err := system.RotateSeal(c.Context(), seals, *approval); err != nil {
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
	return c
}
