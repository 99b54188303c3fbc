package main

import (
	"crypto/fips140"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the binary knows of itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitzero"`
	Modified bool   `json:"modified,omitzero"`
	Go       string `json:"go"`
	FIPS     bool   `json:"fips"`
}

// thisBuild reads what the Go toolchain wrote into the binary.
func thisBuild() build {
	b := build{Version: "unknown", FIPS: fips140.Enabled()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show which release this is", GroupID: groupOperate,
		Long: `Show which release this is.

Fields of --output json: version, revision (the commit), modified (built from a changed tree), go,
fips (whether FIPS 140-3 mode is on).`,
		Example: `  haven version --output json`,
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			var t table
			t.add("haven", b.Version)
			t.add("commit", b.Revision)
			t.add("go", b.Go)
			if b.FIPS {
				t.add("fips", "140-3 mode")
			}
			return a.answer(b, &t)
		},
	}
}
