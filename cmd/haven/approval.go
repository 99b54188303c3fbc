package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) approval() *cobra.Command {
	c := &cobra.Command{
		Use: "approval", Short: "Ask others to approve what a policy demands it for", GroupID: groupOperate,
		Long: `Ask others to approve what a policy demands it for, and approve what others ask for. A policy demands
it by the condition haven:Approvals. An approval is of one request of one principal, word for word, to
what it names when it is asked for; it is open for a time, and used up by what it lets pass.`,
		Example: `  haven approval request schedule-key-deletion '{"key":"alias/old","days":30}' --reason "project ended"
  haven approval approve 01912d68-783e-7a66-b7d1-8c2f0f7a5f0c
  haven approval run 01912d68-783e-7a66-b7d1-8c2f0f7a5f0c`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.approvalRequest(), a.approvalList(), a.approvalRun(),
		a.oneApproval("show ID", "Show what is asked for, and who approved it", "show", (*client.Client).DescribeApproval),
		a.oneApproval("approve ID", "Approve what somebody else asked for", "approve", (*client.Client).Approve),
		a.oneApproval("withdraw ID", "End a request for approvals; nothing is done by it any more", "withdraw", (*client.Client).WithdrawApproval))
	return c
}

const approvalFields = `Fields of --output json: approval_id, state (open, used, withdrawn, expired), operation, resources,
request, reason, requester (id, arn), approvals (by, at), created_at, expires_at, used_at, used_by_request,
withdrawn_at.`

func (a *app) approvalRequest() *cobra.Command {
	var req client.RequestApprovalRequest
	c := &cobra.Command{
		Use: "request OPERATION REQUEST", Short: "Ask that others approve an operation",
		Long: `Ask that others approve an operation, before it is done by "haven approval run". REQUEST is the
operation's own request, a JSON object as the API takes it. It is refused at once if approvals would
not help: what a policy denies anyhow cannot be asked for.

` + approvalFields,
		Example: `  haven approval request schedule-key-deletion '{"key":"alias/old","days":30}' --reason "project ended"`,
		Args:    exactly("OPERATION", "REQUEST"),
		RunE: func(c *cobra.Command, args []string) error {
			v := jsontext.Value(args[1])
			if !v.IsValid() || v.Kind() != '{' {
				return usagef("REQUEST is a JSON object")
			}
			req.Operation, req.Request = args[0], v
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Approval, error) {
				return c.RequestApproval(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(out, approvalRows(out))
		},
	}
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for who approves")
	c.Flags().IntVar(&req.Hours, "hours", 0, "how long it is open, at most 168 (default 24)")
	return c
}

func (a *app) oneApproval(use, short, verb string, do func(*client.Client, context.Context, string) (*client.Approval, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + approvalFields,
		Example: "  haven approval " + verb + " 01912d68-783e-7a66-b7d1-8c2f0f7a5f0c",
		Args:    exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Approval, error) {
				return do(c, ctx, args[0])
			})
			if err != nil {
				return err
			}
			return a.answer(out, approvalRows(out))
		},
	}
}

func (a *app) approvalRun() *cobra.Command {
	return &cobra.Command{
		Use: "run ID", Short: "Do what was approved",
		Long: `Do what was approved: send the request that the approval keeps. If a policy demands more approvals than
it has, it is refused, and nothing is used up. The operation's answer is printed, as JSON.

Fields of --output json: those of the operation, as the API answers it.`,
		Example: `  haven approval run 01912d68-783e-7a66-b7d1-8c2f0f7a5f0c`,
		Args:    exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (jsontext.Value, error) {
				return c.RunApproved(ctx, args[0])
			})
			if err == nil {
				_, err = fmt.Fprintln(a.stdout, string(answer))
			}
			return err
		},
	}
}

func (a *app) approvalList() *cobra.Command {
	var req client.ListApprovalsRequest
	c := &cobra.Command{
		Use: "list", Short: "List what waits for approvals, newest first",
		Long: "List what waits for approvals, newest first, a page at a time.\n\n" +
			"Fields of --output json: approvals, as of haven approval show, and next_cursor (absent at the end).",
		Example: `  haven approval list
  haven approval list --all`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.ApprovalPage, error) {
				return c.ListApprovals(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("ID", "STATE", "OPERATION", "RESOURCES", "ASKED BY", "APPROVALS", "UNTIL")
			for i := range page.Approvals {
				p := &page.Approvals[i]
				t.add(p.ID, p.State, p.Operation, strings.Join(p.Resources, " "), personOf(p.Requester), strconv.Itoa(len(p.Approvals)), when(p.ExpiresAt))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().BoolVar(&req.All, "all", false, "those too that were used, withdrawn, or are over")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

func approvalRows(p *client.Approval) *table {
	var t table
	t.add("approval", p.ID)
	t.add("state", p.State)
	t.add("operation", p.Operation)
	for _, r := range p.Resources {
		t.add("resource", r)
	}
	t.add("request", p.Request)
	t.add("reason", p.Reason)
	t.add("asked by", personOf(p.Requester))
	t.add("asked", when(p.CreatedAt))
	for _, c := range p.Approvals {
		t.add("approved", when(c.At)+" by "+personOf(c.By))
	}
	t.add("open until", when(p.ExpiresAt))
	t.add("used", when(p.UsedAt))
	t.add("used by request", p.UsedByRequest)
	t.add("withdrawn", when(p.WithdrawnAt))
	return &t
}

// personOf names a principal, by its id alone once it is deleted.
func personOf(p client.ApprovalPerson) string {
	if p.ARN == "" {
		return p.ID + " (deleted)"
	}
	return p.ARN
}
