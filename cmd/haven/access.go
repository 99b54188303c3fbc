package main

import (
	"github.com/spf13/cobra"
)

func (a *app) access() *cobra.Command {
	c := &cobra.Command{
		Use: "access", Short: "Why somebody may or may not, and what a policy would do", GroupID: groupAccess,
		Long: "Why somebody may or may not do something, and what a policy would do.\n\n" + principalReference,
		Example: `  haven access explain 01981d5c-6d1c-7c3e-9b1f-5f0c8e6a7d10
  haven access list --key alias/patients --action decrypt
  haven access preview clinic --document clinic.json
  haven access lint clinic.json`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.accessExplain(), a.accessList(), a.accessPreview(), a.accessLint())
	return c
}
