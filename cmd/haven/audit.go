package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) audit() *cobra.Command {
	c := &cobra.Command{
		Use: "audit", Short: "Look at what was done", GroupID: groupOperate,
		Long:    "Look at what was done: every operation leaves a record, done, denied or failed.",
		Example: `  haven audit list --outcome denied --since 2026-03-01T00:00:00Z`,
		Args:    noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.auditList())
	return c
}

// recordFields documents the records wherever a command prints them.
const recordFields = `Fields of --output json: records (AWS CloudTrail events; additionalEventData has the record's position,
its exact time, outcome, keyVersion, wrappedBy, decisionId), next_cursor (absent at the end).`

func (a *app) auditList() *cobra.Command {
	var req client.ListRecordsRequest
	var since, until string
	c := &cobra.Command{
		Use: "list", Short: "List records, newest first",
		Long: "List records, newest first, a page at a time. Of the filters, those that are given must all fit.\n\n" + recordFields,
		Example: `  haven audit list --outcome denied
  haven audit list --key alias/patients --event Decrypt --since 2026-03-01T00:00:00Z`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err, other error
			req.Since, err = moment(since)
			req.Until, other = moment(until)
			if err = errors.Join(err, other); err != nil {
				return err
			}
			return a.records(c.Context(), req)
		},
	}
	flags := c.Flags()
	flags.StringVar(&req.Key, "key", "", "only what concerns this `KEY`, or KEY@N")
	flags.StringVar(&req.Event, "event", "", "only this event or operation: `Decrypt`, rotate-key")
	flags.StringVar(&req.Principal, "principal", "", "only what this principal did: its `id` or ARN")
	flags.StringVar(&req.Outcome, "outcome", "", "only what was `allowed`, denied or failed")
	flags.StringVar(&since, "since", "", "only from this `time` on")
	flags.StringVar(&until, "until", "", "only before this `time`")
	flags.BoolVar(&req.Changes, "changes", false, "leave out what only uses and reads")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

// moment reads a time; "" is none.
func moment(text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339, text); err != nil {
		return t, usagef("a time is as 2026-03-01T08:00:00Z")
	}
	return t, nil
}

func (a *app) keyHistory() *cobra.Command {
	var req client.ListRecordsRequest
	var uses bool
	c := &cobra.Command{
		Use: "history KEY", Short: "Show what was done to a key, newest first",
		Long: "Show what was done to a key, newest first: what changed it or tried to, and by whom; with --uses\nall that was done with it. KEY@N shows what names that version.\n\n" +
			keyReference + "\n\n" + recordFields,
		Example: `  haven key history alias/patients
  haven key history alias/patients@2 --uses`,
		Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Key, req.Changes = args[0], !uses
			return a.records(c.Context(), req)
		},
	}
	c.Flags().BoolVar(&uses, "uses", false, "uses and reads, too")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

// fullRecords lists a full page of records. The server looks at 20,000 of them in one call, whether or
// not they fit: it is asked again until the page is full or there are no more. tell is told before
// that how many were found.
func fullRecords(req client.ListRecordsRequest, list func(client.ListRecordsRequest) (*client.RecordPage, error), tell func(found int)) (*client.RecordPage, error) {
	page, err := list(req)
	for limit := req.Limit; err == nil && page.NextCursor != "" && len(page.Records) < limit; {
		tell(len(page.Records))
		req.Cursor, req.Limit = page.NextCursor, limit-len(page.Records)
		var next *client.RecordPage
		if next, err = list(req); err == nil {
			page.Records, page.NextCursor = append(page.Records, next.Records...), next.NextCursor
		}
	}
	return page, err
}

// records prints a full page of records.
func (a *app) records(ctx context.Context, req client.ListRecordsRequest) error {
	page, err := call(ctx, a, func(ctx context.Context, c *client.Client) (*client.RecordPage, error) {
		calls := 0
		return fullRecords(req, func(req client.ListRecordsRequest) (*client.RecordPage, error) {
			calls++
			return c.ListRecords(ctx, req)
		}, func(found int) {
			a.progress("%d found in %d,000 records, looking further back…", found, 20*calls)
		})
	})
	if err != nil {
		return err
	}
	var t table
	t.add("TIME", "EVENT", "OUTCOME", "WHO", "FROM", "KEY")
	for i := range page.Records {
		r := &page.Records[i]
		outcome := "allowed"
		if r.ErrorMessage != "" {
			outcome = r.ErrorMessage
		}
		t.add(when(r.EventTime), r.EventName, outcome, who(r), r.SourceIPAddress, resource(r))
	}
	a.more(page.NextCursor)
	return a.answer(page, &t)
}

func who(r *client.Record) string {
	name := r.UserIdentity.UserName
	if name == "" {
		name = r.UserIdentity.PrincipalID
	}
	if r.UserIdentity.InvokedBy != "" {
		name += " (by Haven)"
	}
	return name
}

// resource is the first key or alias that a record names.
func resource(r *client.Record) string {
	if len(r.Resources) == 0 {
		return ""
	}
	_, name, _ := strings.Cut(r.Resources[0].ARN, "key/")
	return name
}
