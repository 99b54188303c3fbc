package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/client"
)

const (
	// policyFields documents the document of a policy wherever a command prints it.
	policyFields = `Fields of --output json: id, kind (ready, managed, inline, trust), name, arn, holder (of whose it is),
as (boundary, trust), document, created_at, updated_at, attachments, attached_to (each arn, as). What a
policy does not have is absent.`

	// policyReference documents how policies are named.
	policyReference = `POLICY is an ARN, policy/NAME or NAME; with --principal or --group the name of an inline policy.`
)

func (a *app) policy() *cobra.Command {
	c := &cobra.Command{
		Use: "policy", Short: "What principals may do", GroupID: groupAccess,
		Long: `What principals may do, in IAM's policy language. A managed policy is written once and attached to
principals and groups; an inline policy is of one of them alone. Ready ones, whose names begin with
Haven, come with the release. docs/access.md tells of them.

` + policyReference,
		Example: `  haven policy create readers --document readers.json
  haven policy attach readers --group nurses
  haven policy attach HavenOperator --principal amina`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.policyCreate(), a.policyShow(), a.policyList(), a.policyUpdate(), a.policyDelete(), a.policyAttach(), a.policyDetach())
	return c
}

// holderFlags are whose policy a command is about.
func holderFlags(c *cobra.Command, principal, group *string, what string) {
	c.Flags().StringVar(principal, "principal", "", what+" of this `PRINCIPAL`")
	c.Flags().StringVar(group, "group", "", what+" of this `GROUP`")
	c.MarkFlagsMutuallyExclusive("principal", "group")
}

// documentFlag is a file with a policy's document.
func documentFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "document", "", "a `file` with the policy; stdin where there is none")
}

// readDocument reads a policy's document, as it is.
func (a *app) readDocument(name string) (string, error) {
	b, err := a.readInput(name, access.MaxDocument)
	return string(b), err
}

func policyRows(p *client.Policy) *table {
	var t table
	t.add("policy", p.ID)
	t.add("kind", string(p.Kind))
	t.add("name", p.Name)
	t.add("arn", p.ARN)
	t.add("of", p.Holder)
	t.add("as", string(p.As))
	t.add("created", when(p.CreatedAt))
	t.add("updated", when(p.UpdatedAt))
	if p.Attachments > 0 {
		t.add("attachments", strconv.Itoa(p.Attachments))
	}
	for _, at := range p.AttachedTo {
		t.add("attached to", at.ARN+asBoundary(at.As))
	}
	return &t
}

func asBoundary(as client.PolicyPart) string {
	if as == client.AsBoundary {
		return ", as boundary"
	}
	return ""
}

// onPolicy does something to a policy and prints it.
func (a *app) onPolicy(ctx context.Context, do func(context.Context, *client.Client) (*client.Policy, error)) error {
	p, err := call(ctx, a, do)
	if err != nil {
		return err
	}
	return a.answer(p, policyRows(p))
}
