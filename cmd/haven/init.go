package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
)

// initAnswer is the answer of haven init.
type initAnswer struct {
	Data          string     `json:"data"`
	Administrator string     `json:"administrator"`
	Token         string     `json:"token"`
	Seals         []slotView `json:"seals"`
}

func (a *app) init() *cobra.Command {
	var seals sealFlags
	var administrator, region, account string
	c := &cobra.Command{
		Use: "init", Short: "Make a new store and its administrator", GroupID: groupServer,
		Long: `Make a new store in a data folder: its root key, sealed by each seal given, its default master
key, and an administrator, whose bearer token is printed once and stored nowhere.

Give two seals: one for daily starts and one kept elsewhere for recovery. A store whose every
seal is lost is lost.

` + sealHelp + `

Fields of --output json: data, administrator, token, seals (each slot, kind, seal, generation).`,
		Example: `  haven init --data /var/lib/haven --seal keyfile:/etc/haven/seal.key --recovery-seal passphrase
  haven init --data /var/lib/haven --seal 'awskms://alias/haven?region=eu-west-1' --recovery-seal passphrase`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			folder, err := a.folder()
			if err != nil {
				return err
			}
			specs, err := seals.specs()
			if err != nil {
				return err
			}
			if err := checkAccount(account); err != nil {
				return usageError{err}
			}
			if len(specs) == 0 {
				specs[seal.Daily] = keyFileSpec
			}
			locked, err := haven.Load(c.Context(), haven.Config{DataDir: folder, Region: region, Account: account, NoScheduler: true})
			if err != nil {
				return err
			}
			if locked.Initialized() {
				return errors.Join(errors.New("the data folder holds a store already; nothing was changed"), locked.Close())
			}
			open := opener{app: a, folder: folder, make: true}
			defer open.close()
			made, err := open.all(c.Context(), specs)
			if err != nil {
				return errors.Join(err, open.unmake(), locked.Close())
			}
			system, err := locked.Initialize(c.Context(), made, administrator)
			if err != nil { // the key files stay: the store may hold what they open
				return errors.Join(err, locked.Close())
			}
			return errors.Join(a.initialized(c, system, folder, administrator), system.Close())
		},
	}
	seals.add(c, "a seal for the new store")
	c.Flags().StringVar(&administrator, "administrator", haven.DefaultAdministrator, "the first administrator's `name`")
	c.Flags().StringVar(&region, "region", "us-east-1", "the `region` in ARNs; it cannot be changed later")
	c.Flags().StringVar(&account, "account", "000000000000", "the `account` in ARNs, 12 digits; it cannot be changed later")
	return c
}

func (a *app) initialized(c *cobra.Command, system *haven.System, folder, administrator string) error {
	slots, err := system.Slots(c.Context())
	if err != nil {
		return err
	}
	token, _ := system.FirstToken()
	defer token.Destroy()
	out := initAnswer{Data: folder, Administrator: administrator, Token: string(secret.Expose(token)), Seals: slotViews(slots)}
	if len(slots) == 1 {
		a.note("This store has one seal. If it is lost, so is everything: attach another with haven seal migrate.")
	}
	var t table
	t.add("store", folder)
	t.add("administrator", administrator)
	t.add("token", out.Token+"   (shown this once)")
	for _, s := range out.Seals {
		t.add("seal "+s.Slot, s.Kind+" "+s.Seal)
	}
	return a.answer(out, &t)
}
