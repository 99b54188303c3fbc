package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/seal"
)

// slotView is a slot as it is printed.
type slotView struct {
	Slot       string `json:"slot"`
	Kind       string `json:"kind"`
	Seal       string `json:"seal"`
	Generation uint32 `json:"generation"`
}

// slotFields documents slotView.
const slotFields = `Fields of --output json: seals (each slot, kind, seal, generation).`

func slotViews(slots []seal.Slot) []slotView {
	views := make([]slotView, len(slots))
	for i, s := range slots {
		views[i] = slotView{s.Name, s.Kind, s.Seal, s.Generation}
	}
	return views
}

func (a *app) answerSlots(slots []seal.Slot) error {
	out := struct {
		Seals []slotView `json:"seals"`
	}{slotViews(slots)}
	var t table
	t.add("SLOT", "KIND", "SEAL", "GENERATION")
	for _, s := range out.Seals {
		t.add(s.Slot, s.Kind, s.Seal, fmt.Sprint(s.Generation))
	}
	return a.answer(out, &t)
}

func (a *app) seal() *cobra.Command {
	c := &cobra.Command{
		Use: "seal", Short: "Show, rotate, replace and detach what unlocks a store", GroupID: groupOperate,
		Long: `Show, rotate and replace the seals, which unlock a store. These commands work on the data folder:
stop its server first.

` + sealHelp,
		Example: `  haven seal status --data /var/lib/haven
  haven seal rotate --data /var/lib/haven --recovery-seal passphrase`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.sealStatus(), a.sealRotate(), a.sealMigrate(), a.sealDetach())
	return c
}

// unlocked opens a store offline with the seals presented and runs do on it.
func (a *app) unlocked(ctx context.Context, given *sealFlags, do func(*haven.System, *opener, map[string]seal.Seal) error) error {
	folder, err := a.folder()
	if err != nil {
		return err
	}
	specs, err := given.specs()
	if err != nil {
		return err
	}
	withKeyFile(specs, folder)
	locked, err := a.existing(ctx, folder)
	if err != nil {
		return err
	}
	open := &opener{app: a, folder: folder}
	defer open.close()
	seals, err := open.all(ctx, specs)
	if err != nil {
		return errors.Join(err, locked.Close())
	}
	system, err := locked.Unlock(ctx, seals, haven.Attempts{})
	if err != nil {
		return errors.Join(err, locked.Close())
	}
	return errors.Join(do(system, open, seals), system.Close())
}

// withKeyFile adds the key file of the data folder, if there is one and the daily seal is not
// given.
func withKeyFile(specs map[string]string, folder string) {
	if _, given := specs[seal.Daily]; given {
		return
	}
	if _, err := os.Stat(filepath.Join(folder, haven.KeyFileName)); err == nil {
		specs[seal.Daily] = keyFileSpec
	}
}

// existing opens a store that must be there: looking must not make one.
func (a *app) existing(ctx context.Context, folder string) (*haven.Locked, error) {
	if _, err := os.Stat(folder); err != nil {
		return nil, err
	}
	locked, err := haven.Load(ctx, haven.Config{DataDir: folder, NoScheduler: true})
	if err != nil {
		return nil, err
	}
	if !locked.Initialized() {
		return nil, errors.Join(haven.ErrNotInitialized, locked.Close())
	}
	return locked, nil
}
