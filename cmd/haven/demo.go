package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/cmd/haven/demo"
)

func (a *app) demo() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Tell what Haven does, step by step, on a health record", GroupID: groupServer,
		Long: `Tell what Haven does, step by step, on the health record of an invented patient, in a temporary
folder: each step shows the command that it runs. It fails if anything does not hold.

Fields of --output json: steps, commands (how many of each), records (how many records each event
left).`,
		Example: `  haven demo`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			out := a.stdout
			if a.output == "json" {
				out = io.Discard
			}
			outcome, err := demo.Run(c.Context(), demo.Stage{Out: out, Haven: run, Line: shellLine})
			if err != nil {
				return err
			}
			if a.output == "json" {
				return writeJSON(a.stdout, outcome)
			}
			_, err = fmt.Fprintf(out, "\nAll %d steps hold.\n", outcome.Steps)
			return err
		},
	}
}
