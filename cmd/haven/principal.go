package main

import (
	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// principalFields documents the document of a principal wherever a command prints it.
const principalFields = `Fields of --output json: id, arn, name, kind, administrator, disabled, tags, groups, created_at. What a
principal does not have is absent.`

// principalReference documents how principals are named.
const principalReference = `PRINCIPAL is an ARN, user/NAME, role/NAME, or the bare NAME of a user or service.`

func (a *app) principal() *cobra.Command {
	c := &cobra.Command{
		Use: "principal", Short: "People, programs and roles: who may call", GroupID: groupAccess,
		Long: "People, programs and roles: who may call.\n\n" + principalReference,
		Example: `  haven principal create --kind service clinic-api --tag site=camp-3
  haven principal list`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.principalCreate(), a.principalShow(), a.principalList(), a.principalUpdate(), a.principalDelete())
	return c
}

func principalRows(p *client.Principal) *table {
	var t table
	t.add("principal", p.ID)
	t.add("arn", p.ARN)
	t.add("name", p.Name)
	t.add("kind", string(p.Kind))
	t.add("state", principalState(p))
	t.add("created", when(p.CreatedAt))
	for _, name := range p.Groups {
		t.add("group", name)
	}
	for _, name := range sortedNames(p.Tags) {
		t.add("tag", name+"="+p.Tags[name])
	}
	return &t
}

func principalState(p *client.Principal) string {
	switch {
	case p.Disabled:
		return "disabled"
	case p.Administrator:
		return "administrator"
	}
	return "enabled"
}
