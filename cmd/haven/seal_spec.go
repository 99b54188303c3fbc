package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/seal"
)

// sealHelp documents how seals are named on the command line and in the configuration.
const sealHelp = `A seal is given as [SLOT=]SPEC; the slot is "daily" where none is named. SPEC is one of
  keyfile[:FILE]      a key file; FILE is seal.key in the data folder where none is named
  passphrase[:FILE]   a passphrase, asked for, or the only line of FILE (0600; - is stdin)
  awskms://…          a key of AWS KMS: awskms://KEY-ID?region=REGION, awskms:///ARN?region=REGION
  hashivault://NAME   a key of Vault's transit engine, at VAULT_SERVER_URL with VAULT_SERVER_TOKEN`

// sealFlags are the flags that present seals.
type sealFlags struct {
	seals    []string
	recovery string
}

func (f *sealFlags) add(c *cobra.Command, what string) {
	c.Flags().StringArrayVar(&f.seals, "seal", nil, what+", `[SLOT=]SPEC`; repeat for more (default keyfile)")
	c.Flags().StringVar(&f.recovery, "recovery-seal", "", "the same as --seal recovery=`SPEC`")
}

// specs returns what was given, by slot.
func (f *sealFlags) specs() (map[string]string, error) {
	given := f.seals
	if f.recovery != "" {
		given = append(given, seal.Recovery+"="+f.recovery)
	}
	out := make(map[string]string, len(given))
	for _, text := range given {
		slot, spec := splitSeal(text)
		if _, twice := out[slot]; twice {
			return nil, usagef("slot %s is given twice", slot)
		}
		out[slot] = spec
	}
	return out, nil
}

// splitSeal takes a slot's name off a seal. A URL may have "=" too, after a ":".
func splitSeal(text string) (slot, spec string) {
	if before, after, found := strings.Cut(text, "="); found && !strings.Contains(before, ":") {
		return before, after
	}
	return seal.Daily, text
}

// keyFileSpec is the seal where none is given.
const keyFileSpec = "keyfile"

// opener opens seals: existing ones, or new ones that are made.
type opener struct {
	app    *app
	folder string
	// make tells that seals are made: a new key file, a passphrase asked for twice.
	make   bool
	opened []func()
	files  []string // key files that were made
}

// all opens every seal given.
func (o *opener) all(ctx context.Context, specs map[string]string) (map[string]seal.Seal, error) {
	out := make(map[string]seal.Seal, len(specs))
	for _, slot := range sortedNames(specs) {
		s, err := o.open(ctx, slot, specs[slot])
		if err != nil {
			return nil, fmt.Errorf("seal %s: %w", slot, err)
		}
		out[slot] = s
	}
	return out, nil
}

func (o *opener) open(ctx context.Context, slot, spec string) (seal.Seal, error) {
	kind, rest, _ := strings.Cut(spec, ":")
	switch {
	case kind == keyFileSpec:
		return o.keyFile(rest)
	case kind == "passphrase":
		return o.passphrase(ctx, slot, rest)
	case strings.Contains(spec, "://"):
		keeper, id, err := openKeeper(ctx, spec)
		if err != nil {
			return nil, err
		}
		o.opened = append(o.opened, func() { keeper.Close() })
		return seal.NewKeeper(id, keeper), nil
	}
	return nil, usagef("a seal is keyfile[:FILE], passphrase[:FILE] or a URL")
}

func (o *opener) keyFile(name string) (seal.Seal, error) {
	if name == "" {
		name = filepath.Join(o.folder, haven.KeyFileName)
	}
	if !o.make {
		file, err := seal.ReadKeyFile(name, rand.Reader)
		if err != nil {
			return nil, err
		}
		o.opened = append(o.opened, file.Destroy)
		return file, nil
	}
	file, err := seal.NewKeyFile(rand.Reader)
	if err != nil {
		return nil, err
	}
	o.opened = append(o.opened, file.Destroy)
	if err := file.Write(name); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists already and may open something: choose another name with keyfile:FILE", name)
	} else if err != nil {
		return nil, err
	}
	o.files = append(o.files, name)
	o.app.note("key file %s made. Who has it and a copy of the store has every key: back it up apart from the store.", name)
	return file, nil
}

func (o *opener) passphrase(ctx context.Context, slot, file string) (seal.Seal, error) {
	phrase, err := o.app.passphrase(ctx, "Passphrase for seal "+slot, file, o.make)
	if err != nil {
		return nil, err
	}
	s, err := seal.NewPassphrase(phrase, rand.Reader)
	if err != nil {
		phrase.Destroy()
		return nil, err
	}
	o.opened = append(o.opened, s.Destroy)
	return s, nil
}

// unmake removes the key files that were made: they open nothing, because what they were made for
// failed.
func (o *opener) unmake() error {
	var errs []error
	for _, name := range o.files {
		errs = append(errs, os.Remove(name))
		o.app.note("key file %s removed again: it opens nothing.", name)
	}
	return errors.Join(errs...)
}

// close lets go of what was opened.
func (o *opener) close() {
	for _, release := range o.opened {
		release()
	}
}
