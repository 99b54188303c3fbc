package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
)

func (a *app) fsck() *cobra.Command {
	var given sealFlags
	c := &cobra.Command{
		Use: "fsck", Short: "Check all of a store", GroupID: groupOperate,
		Long: `Check all of a store: the storage's own structure, the whole chain of records, every item against
its MAC and its last record, and how the keys hang together. It works on the data folder: stop the
server first. It changes nothing there: what the next start repairs after a crash counts as repaired.
Where the store cannot be opened it says why, and what else is damaged as far as it can be read.

Exit code 0: nothing was found; 1: something was, or it could not look, or not to the end.

` + sealHelp + `

Fields of --output json: frames, records, items (how many were looked at), findings (each place,
what; empty when the store is whole).`,
		Example: `  haven fsck --data /var/lib/haven`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := a.check(c.Context(), &given)
			return a.checked(report, err)
		},
	}
	given.add(c, "an attached seal")
	return c
}

func (a *app) check(ctx context.Context, given *sealFlags) (haven.FsckReport, error) {
	nothing := haven.FsckReport{}
	folder, err := a.folder()
	if err != nil {
		return nothing, err
	}
	if _, err := os.Stat(folder); err != nil { // looking must not make one
		return nothing, err
	}
	specs, err := given.specs()
	if err != nil {
		return nothing, err
	}
	withKeyFile(specs, folder)
	open := &opener{app: a, folder: folder}
	defer open.close()
	seals, err := open.all(ctx, specs)
	if err != nil {
		return nothing, err
	}
	return haven.Fsck(ctx, haven.Config{DataDir: folder, Seals: seals}, a.fraction("checking"))
}

// checked prints what was found, also when err says that the check did not come to its end.
func (a *app) checked(report haven.FsckReport, err error) error {
	n := len(report.Findings)
	if err != nil && n == 0 {
		return err
	}
	var t table
	t.add("frames", fmt.Sprint(report.Frames))
	t.add("records", fmt.Sprint(report.Records))
	t.add("items", fmt.Sprint(report.Items))
	for _, f := range report.Findings {
		t.add("FOUND", f.Place+": "+f.What)
	}
	if n == 0 {
		t.add("found", "nothing: the store is whole")
	}
	if failed := a.answer(report, &t); failed != nil {
		return errors.Join(err, failed)
	}
	if err != nil {
		return fmt.Errorf("what is above was found (%d); then the check could not go on: %w", n, err)
	}
	if n > 0 {
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
