package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) rotation() *cobra.Command {
	c := &cobra.Command{
		Use: "rotation", Short: "See and do what is due", GroupID: groupOperate,
		Long: `See and do what is due: rotations, the ends of grace periods and lifetimes, destruction. The server
looks by itself, each day unless "haven rotation schedule" says otherwise; docs/rotation.md tells more.`,
		Example: `  haven rotation due --days 30
  haven rotation check --dry-run
  haven rotation schedule 'cron(0 3 * * ? *)' --timezone Europe/Berlin`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.rotationCheck(), a.rotationRun(), a.rotationDue(), a.rotationSchedule(), a.rotationStatus())
	return c
}

// taskFields documents what is due wherever a command prints it.
const taskFields = `do (rotate, deprecate, expire, record, erase-material, destroy, resume), at, arn, key_id,
version, type, alias, credential, expires_at, waits, new_version, error, detail (absent where nothing is to
be said)`

func (a *app) rotationCheck() *cobra.Command {
	var req client.CheckRotationRequest
	c := &cobra.Command{
		Use: "check", Short: "Do what is due now, or tell what it would be",
		Long: `Do what is due now, at most 1,000 things; with --dry-run only tell. What waits for somebody is told:
needs_material until material is imported, disabled until the key is enabled, still_wraps until nothing
is wrapped by it, master_… while its master key cannot be used.

Fields of --output json: dry_run, due (of a dry run), done, failed, waiting, each with
` + taskFields + `;
more (true: the limit was reached).`,
		Example: `  haven rotation check --dry-run
  haven rotation check`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.RotationCheck, error) {
				return c.CheckRotation(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("", "DO", "DUE", "KEY", "TELLS")
			addTasks(&t, "due", out.Due)
			addTasks(&t, "done", out.Done)
			addTasks(&t, "failed", out.Failed)
			addTasks(&t, "waits", out.Waiting)
			if len(t.rows) == 1 {
				t = table{}
				t.add("due", "nothing")
			}
			if out.More {
				a.note("more is due: check again")
			}
			return a.answer(out, &t)
		},
	}
	c.Flags().BoolVar(&req.DryRun, "dry-run", false, "only tell what would be done")
	c.Flags().IntVar(&req.Limit, "limit", 0, "do at most `N` things (default 1000)")
	return c
}

// addTasks adds a row for each task.
func addTasks(t *table, how string, tasks []client.Task) {
	for i := range tasks {
		task := &tasks[i]
		name := task.Alias
		if name == "" {
			name = task.KeyID
		}
		if name == "" {
			name = task.ARN
		}
		if task.Version != 0 {
			name += "@" + strconv.FormatUint(uint64(task.Version), 10)
		}
		tells := strings.TrimSpace(task.Waits + " " + task.Error)
		if task.NewVersion != 0 {
			tells = "version " + strconv.FormatUint(uint64(task.NewVersion), 10) + " is the primary"
		}
		t.add(how, task.Do, when(task.At), name, tells)
	}
}

func (a *app) rotationRun() *cobra.Command {
	return &cobra.Command{
		Use: "run KEY...", Short: "Rotate those of the keys that are due",
		Long: `Rotate those of the keys, at most 100, that are due; the others stay as they are. To rotate a key
whether or not it is due: haven key rotate.

` + keyReference + `

Fields of --output json: rotations, each with key_id, arn, version, new_version (absent where it was not
rotated), waits, error, detail.`,
		Example: `  haven rotation run alias/patients alias/notes`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			type answer struct {
				Rotations []client.Execution `json:"rotations"`
			}
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (answer, error) {
				done, err := c.ExecuteRotations(ctx, args...)
				return answer{done}, err
			})
			if err != nil {
				return err
			}
			var t table
			t.add("KEY", "VERSION", "TELLS")
			for i, e := range out.Rotations {
				tells := "not due"
				switch {
				case e.NewVersion != 0:
					tells = "version " + strconv.FormatUint(uint64(e.NewVersion), 10) + " is the primary"
				case e.Waits != "":
					tells = "waits: " + e.Waits
				case e.Error != "":
					tells = "failed: " + e.Error + ": " + e.Detail
				}
				t.add(args[i], strconv.FormatUint(uint64(e.Version), 10), tells)
			}
			return a.answer(out, &t)
		},
	}
}

func (a *app) rotationDue() *cobra.Command {
	var req client.ListDueRequest
	c := &cobra.Command{
		Use: "due", Short: "List what is due, and what comes due",
		Long: `List what is due, and what comes due within some days, oldest first, a page at a time.

Fields of --output json: due, each with
` + taskFields + `;
next_cursor (absent at the end).`,
		Example: `  haven rotation due
  haven rotation due --days 365`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.DuePage, error) {
				return c.ListDue(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("", "DO", "DUE", "KEY", "TELLS")
			addTasks(&t, "", page.Due)
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().IntVar(&req.Days, "days", 30, "how many `days` ahead")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

const scheduleFields = `Fields of --output json: expression, timezone, next_check_at (absent when none comes any more),
last_check_at, done, failed (since the server started), waiting, overdue (what its last check left).`

func (a *app) rotationSchedule() *cobra.Command {
	var req client.ScheduleRequest
	c := &cobra.Command{
		Use: "schedule EXPRESSION", Short: "Say when the server looks for what is due",
		Long: `Say when the server looks for what is due, in EventBridge Scheduler's words: a rate makes the first
check at once; the time zone is of cron and at.

` + scheduleFields,
		Example: `  haven rotation schedule 'rate(1 day)'
  haven rotation schedule 'cron(0 3 * * ? *)' --timezone Europe/Berlin`,
		Args: exactly("EXPRESSION"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Expression = args[0]
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.RotationSchedule, error) {
				return c.ScheduleRotationCheck(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(out, scheduleRows(out))
		},
	}
	c.Flags().StringVar(&req.Timezone, "timezone", "", "an IANA `name` (default UTC)")
	return c
}

func (a *app) rotationStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show when the server looks for what is due, and what it found",
		Long:    "Show when the server looks for what is due, and what it found.\n\n" + scheduleFields,
		Example: `  haven rotation status`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.RotationSchedule, error) {
				return c.DescribeRotationSchedule(ctx)
			})
			if err != nil {
				return err
			}
			return a.answer(out, scheduleRows(out))
		},
	}
}

func scheduleRows(s *client.RotationSchedule) *table {
	var t table
	t.add("expression", s.Expression)
	t.add("time zone", s.Timezone)
	next := when(s.NextCheckAt)
	if next == "" {
		next = "never"
	}
	t.add("next check", next)
	t.add("last check", when(s.LastCheckAt))
	t.add("done", strconv.FormatUint(s.Done, 10))
	t.add("failed", strconv.FormatUint(s.Failed, 10))
	t.add("waiting", strconv.FormatInt(s.Waiting, 10))
	t.add("overdue", strconv.FormatInt(s.Overdue, 10))
	return &t
}
