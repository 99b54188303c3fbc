package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) keyVersions() *cobra.Command {
	var req client.ListKeyVersionsRequest
	c := &cobra.Command{
		Use: "versions KEY", Short: "List a key's versions, newest first",
		Long: "List a key's versions, newest first, a page at a time.\n\n" + keyReference + `

Fields of --output json: versions (each key_id, version, state, created_at, expires_at,
grace_ends_at, lifetime_ends_at, deletion_date, valid_to, material_expired, material_erased,
key_check_value, was_compromised, wrapped_by, use_count, protect_count, process_count, verify_count,
last_used_at; of a master key wraps, with count and more), next_cursor (absent at the end). A key's
origin is told by haven key show.`,
		Example: `  haven key versions alias/patients`,
		Args:    exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Key = args[0]
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.VersionPage, error) {
				return c.ListKeyVersions(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("VERSION", "STATE", "CREATED", "UNTIL", "WRAPPED BY", "WRAPS", "USES", "LAST USED", "CHECK VALUE")
			for _, v := range page.Versions {
				t.add(strconv.FormatUint(uint64(v.Version), 10), versionState(&v), when(v.CreatedAt), when(until(v)), v.WrappedBy, wraps(v.Wraps),
					strconv.FormatUint(v.UseCount, 10), when(v.LastUsedAt), v.KeyCheckValue)
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

// versionState is a version's state, and whether its material is there where that can be remedied.
func versionState(v *client.Version) string {
	switch {
	case v.State == client.Destroyed || v.State == client.Compromised || !v.MaterialExpired:
		return string(v.State)
	}
	return string(v.State) + ", material missing"
}

// until is the next deadline of a version, whichever it is.
func until(v client.Version) time.Time {
	var next time.Time
	for _, t := range []time.Time{v.ExpiresAt, v.GraceEndsAt, v.LifetimeEndsAt, v.ValidTo, v.DeletionDate} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}
