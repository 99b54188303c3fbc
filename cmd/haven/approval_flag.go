package main

import (
	"github.com/spf13/cobra"

	"github.com/haven-health/haven/gate"
)

// approvalFlag gives a command at the machine a flag for the approval that a policy demands.
func approvalFlag(c *cobra.Command) *gate.ID {
	v := &approvalValue{}
	c.Flags().Var(v, "approval", "the `ID` of an approval, where a policy demands one")
	return &v.id
}

// approvalValue implements pflag.Value.
type approvalValue struct{ id gate.ID }

func (v *approvalValue) Type() string { return "ID" }

func (v *approvalValue) String() string {
	if v.id.IsZero() {
		return ""
	}
	return v.id.String()
}

func (v *approvalValue) Set(text string) error {
	id, ok := gate.ParseID(text)
	if !ok {
		return usagef("it is an id that haven approval request printed")
	}
	v.id = id
	return nil
}

const approvalHelp = `A policy that binds the administrator can demand that others approve this first: see haven approval
request, of rotate-seal {} or migrate-seal {"slot":…,"kind":…}, without kind to detach.`
