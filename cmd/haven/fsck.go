package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/seal"
)

func (a *app) fsck() *cobra.Command {
	var given sealFlags
	c := &cobra.Command{
		Use: "fsck", Short: "Check all of a store", GroupID: groupOperate,
		Long: `Check all of a store: the storage's own structure, the whole chain of records, every item against
its MAC and its last record, and how the keys hang together. It works on the data folder: stop the
server first. It repairs nothing beyond what every start does.

Exit code 0: nothing was found; 1: something was, or it could not look.

` + sealHelp + `

Fields of --output json: frames, records, items (how many were looked at), findings (each place,
what; empty when the store is whole).`,
		Example: `  haven fsck --data /var/lib/haven`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.unlocked(c.Context(), &given, func(system *haven.System, _ *opener, _ map[string]seal.Seal) error {
				report, err := system.Check(c.Context(), a.fraction("checking"))
				if err != nil {
					return err
				}
				return a.checked(report)
			})
		},
	}
	given.add(c, "an attached seal")
	return c
}

func (a *app) checked(report haven.FsckReport) error {
	var t table
	t.add("frames", fmt.Sprint(report.Frames))
	t.add("records", fmt.Sprint(report.Records))
	t.add("items", fmt.Sprint(report.Items))
	for _, f := range report.Findings {
		t.add("FOUND", f.Place+": "+f.What)
	}
	if len(report.Findings) == 0 {
		t.add("found", "nothing: the store is whole")
	}
	if err := a.answer(report, &t); err != nil {
		return err
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("the store is not as Haven wrote it (%d findings above): keep a copy of it as it is, then restore a backup", n)
	}
	return nil
}

// fraction returns a function that shows a person how far a long work is, in whole percents.
func (a *app) fraction(what string) func(float64) {
	if !isTerminal(a.stderr) || a.output != "text" {
		return nil
	}
	last := -1
	return func(done float64) {
		if percent := int(done * 100); percent != last {
			last = percent
			fmt.Fprintf(a.stderr, "\r%s: %d %%", what, percent)
			if percent >= 100 {
				fmt.Fprintln(a.stderr)
			}
		}
	}
}
