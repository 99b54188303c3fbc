package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/lifecycle"
)

func (a *app) keyList() *cobra.Command {
	var req client.ListKeysRequest
	var kind, within string
	c := &cobra.Command{
		Use: "list", Short: "List keys, newest first",
		Long: `List keys, newest first, a page at a time; by alias with --alias-prefix. Of the filters, those that
are given must all fit.

Fields of --output json: keys (key documents, with origin, valid_to, material_expired,
key_check_value and what else haven key show --help lists), next_cursor (absent at the end).`,
		Example: `  haven key list --type data --state active
  haven key list --due-within 14d --tag site=camp-3
  haven key list --state material_missing
  haven key list --limit 100 --output json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			req.Type = client.KeyType(kind)
			if within != "" {
				span, err := duration(within)
				if err != nil {
					return err
				}
				req.DueBefore = clock.System().Wall().Add(span).UTC().Truncate(time.Second)
			}
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.KeyPage, error) {
				return fullPage(ctx, c, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("KEY", "ALIAS", "TYPE", "STATE", "VERSION", "NEXT ROTATION", "PURPOSE")
			for i := range page.Keys {
				k := &page.Keys[i]
				t.add(k.KeyID, k.Alias, string(k.Type), stateOf(k), versionOf(k), when(k.NextRotationAt), k.Purpose)
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	flags := c.Flags()
	flags.StringVar(&kind, "type", "", "only keys of this `type`")
	flags.StringVar(&req.State, "state", "", "only keys that are `STATE`: enabled, disabled, pending_deletion, material_missing or, if\nenabled, whose primary is active, compromised, …")
	flags.StringVar(&req.Purpose, "purpose", "", "only keys for exactly this")
	flags.StringVar(&req.Tag, "tag", "", "only keys with this tag, `NAME` or NAME=VALUE")
	flags.StringVar(&req.AliasPrefix, "alias-prefix", "", "only keys with an alias that begins so, `alias/…`")
	flags.StringVar(&within, "due-within", "", "only keys whose rotation, expiry, end of material or deletion comes within a `time`: 14d, 12h")
	flags.StringVar(&req.Owner, "owner", "", "only keys of this owner")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

// fullPage asks again where the server looked at as many keys as it does in one call and found
// fewer that fit than the page holds.
func fullPage(ctx context.Context, c *client.Client, req client.ListKeysRequest) (*client.KeyPage, error) {
	page, err := c.ListKeys(ctx, req)
	if err != nil {
		return nil, err
	}
	for limit := req.Limit; page.NextCursor != "" && len(page.Keys) < limit; {
		req.Cursor, req.Limit = page.NextCursor, limit-len(page.Keys)
		next, err := c.ListKeys(ctx, req)
		if err != nil {
			return nil, err
		}
		page.Keys, page.NextCursor = append(page.Keys, next.Keys...), next.NextCursor
	}
	return page, nil
}

// duration reads a time span: days, "14d", or as Go writes one, "12h".
func duration(text string) (time.Duration, error) {
	if number, isDays := strings.CutSuffix(text, "d"); isDays {
		n, err := strconv.ParseUint(number, 10, 16)
		if err == nil && n <= lifecycle.MaxDays {
			return time.Duration(n) * lifecycle.Day, nil
		}
	} else if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		return span, nil
	}
	return 0, usagef("a time is a number of days, 14d, or 12h, 30m")
}

func pageFlags(c *cobra.Command, limit *int, cursor *string) {
	c.Flags().IntVar(limit, "limit", 50, "at most `N` on a page")
	c.Flags().StringVar(cursor, "cursor", "", "continue behind a page: its next `cursor`")
}

// more tells a person how to see the next page.
func (a *app) more(cursor string) {
	if cursor != "" && a.output == "text" {
		a.note("more follow: --cursor %s", cursor)
	}
}
