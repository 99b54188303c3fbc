package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// groupReference documents how groups are named.
const groupReference = `GROUP is an ARN, group/NAME or NAME.`

func (a *app) group() *cobra.Command {
	c := &cobra.Command{
		Use: "group", Short: "Groups of people and programs, who have a group's policies", GroupID: groupAccess,
		Long: "Groups of people and programs, who have a group's policies.\n\n" + groupReference,
		Example: `  haven group create nurses
  haven group add nurses amina`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.groupCreate(), a.groupShow(), a.groupList(), a.groupDelete(), a.groupAdd(), a.groupRemove())
	return c
}

func (a *app) groupCreate() *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Create a group",
		Long: `Create a group, without members and without policies.

Fields of --output json: id, arn, name, created_at.`,
		Example: `  haven group create nurses`,
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			g, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Group, error) {
				return c.CreateGroup(ctx, args[0])
			})
			if err != nil {
				return err
			}
			var t table
			groupRows(&t, g.ID, g.ARN, g.Name, when(g.CreatedAt))
			return a.answer(g, &t)
		},
	}
}

func groupRows(t *table, id, arn, name, created string) {
	t.add("group", id)
	t.add("arn", arn)
	t.add("name", name)
	t.add("created", created)
}

func (a *app) groupShow() *cobra.Command {
	var req client.DescribeGroupRequest
	c := &cobra.Command{
		Use: "show GROUP", Short: "Show a group and its members",
		Long: "Show a group and its members, a page at a time.\n\n" + groupReference + `

Fields of --output json: id, arn, name, created_at, members (each id, arn, name, kind, disabled),
next_cursor (absent at the end).`,
		Example: `  haven group show nurses`,
		Args:    exactly("GROUP"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Group = args[0]
			g, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GroupMembers, error) {
				return c.DescribeGroup(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			groupRows(&t, g.ID, g.ARN, g.Name, when(g.CreatedAt))
			for _, m := range g.Members {
				state := ""
				if m.Disabled {
					state = ", disabled"
				}
				t.add("member", m.Name+" ("+string(m.Kind)+state+")")
			}
			a.more(g.NextCursor)
			return a.answer(g, &t)
		},
	}
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

func (a *app) groupList() *cobra.Command {
	var req client.ListGroupsRequest
	c := &cobra.Command{
		Use: "list", Short: "List groups by name",
		Long: `List groups by name, a page at a time.

Fields of --output json: groups (each id, arn, name, created_at), next_cursor (absent at the end).`,
		Example: `  haven group list --prefix clinic-`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.GroupPage, error) {
				return c.ListGroups(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("NAME", "ID", "CREATED")
			for _, g := range page.Groups {
				t.add(g.Name, g.ID, when(g.CreatedAt))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&req.Prefix, "prefix", "", "only names that begin with this `text`")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

func (a *app) groupDelete() *cobra.Command {
	return a.ending("delete GROUP", "Delete a group that nobody is in",
		"Delete a group that nobody is in, with its inline policies.\n\n"+groupReference,
		`  haven group delete nurses`, "GROUP", (*client.Client).DeleteGroup)
}

func (a *app) groupAdd() *cobra.Command {
	return a.membership("add GROUP PRINCIPAL", "Give a user or service the policies of a group",
		"Give a user or service the policies of a group, those that deny as well as those that allow.",
		`  haven group add nurses amina`, (*client.Client).AddToGroup)
}

func (a *app) groupRemove() *cobra.Command {
	return a.membership("remove GROUP PRINCIPAL", "Take the policies of a group from a principal",
		"Take the policies of a group from a principal. When this has returned, whatever it begins is decided\nwithout them.",
		`  haven group remove nurses amina`, (*client.Client).RemoveFromGroup)
}

func (a *app) membership(use, short, long, example string, do func(*client.Client, context.Context, client.MembershipRequest) (*client.Principal, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + groupReference + "\n" + principalReference + "\n\n" + principalFields, Example: example,
		Args: exactly("GROUP", "PRINCIPAL"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Principal, error) {
				return do(c, ctx, client.MembershipRequest{Group: args[0], Principal: args[1]})
			})
			if err != nil {
				return err
			}
			return a.answer(p, principalRows(p))
		},
	}
}
