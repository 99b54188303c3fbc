package main

import (
	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/seal"
)

func (a *app) sealDetach() *cobra.Command {
	var given sealFlags
	var approval *gate.ID
	c := &cobra.Command{
		Use: "detach SLOT", Short: "Forget a seal that is lost or no longer wanted",
		Long: `Forget the seal in a slot; it need not be presented. The last one stays. Old copies of the store
still open with it: rotate afterwards, so that it opens nothing made later.

` + sealHelp + "\n\n" + approvalHelp + "\n\n" + slotFields,
		Example: `  haven seal detach recovery --data /var/lib/haven --seal keyfile
  haven seal rotate --data /var/lib/haven --seal keyfile`,
		Args: exactly("SLOT"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.unlocked(c.Context(), &given, func(system *haven.System, _ *opener, _ map[string]seal.Seal) error {
				if err := system.DetachSeal(c.Context(), args[0], *approval); err != nil {
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
