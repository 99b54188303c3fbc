package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
)

// TestHelp asserts that every command explains itself: a summary, an example that begins as the
// command does, and the fields of its JSON.
func TestHelp(t *testing.T) {
	commands := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		commands++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: summary %q", c.CommandPath(), c.Short)
		}
		if !strings.HasPrefix(c.Example, "  "+c.CommandPath()) {
			t.Errorf("%s: its example is %q", c.CommandPath(), c.Example)
		}
		if !c.HasSubCommands() && !strings.Contains(c.Long, "Fields of --output json") {
			t.Errorf("%s: its help does not tell the fields of --output json", c.CommandPath())
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len([]rune(line)) > 110 {
				t.Errorf("%s: a line of its help is %d characters wide", c.CommandPath(), len(line))
			}
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(new(app).root())
	if commands < 25 {
		t.Errorf("%d commands were walked", commands)
	}
}

// TestExitCodes asserts that a disk that fails is told from everything else.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitDone},
		{errors.New("refused"), exitFailed},
		{usagef("no"), exitUsage},
		{fmt.Errorf("the journal: %w", store.ErrFailed), exitStorage},
		{fmt.Errorf("%w: the journal", disk.ErrFailed), exitStorage},
		{fmt.Errorf("the journal: %w", store.ErrNoSpace), exitFailed},
	} {
		if got := exitCode(c.err, true); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
	if got := exitCode(errors.New("unknown flag"), false); got != exitUsage {
		t.Errorf("an error before the command began: exit code %d", got)
	}
}

// TestFullRecords asserts that what is far back is found, beyond what the server looks at in one call,
// and that a list ends only where the server says so or the page is full.
func TestFullRecords(t *testing.T) {
	pages := []int{0, 2, 0, 0, 3, 1} // records of each call
	for _, c := range []struct{ limit, want, calls int }{{50, 6, 6}, {5, 5, 5}, {4, 4, 5}, {2, 2, 2}} {
		calls, told := 0, 0
		page, err := fullRecords(client.ListRecordsRequest{Limit: c.limit}, func(req client.ListRecordsRequest) (*client.RecordPage, error) {
			if calls > 0 && req.Cursor != fmt.Sprint(calls) {
				t.Errorf("call %d: cursor %q", calls, req.Cursor)
			}
			out := &client.RecordPage{Records: make([]client.Record, min(pages[calls], req.Limit))}
			if calls++; calls < len(pages) {
				out.NextCursor = fmt.Sprint(calls)
			}
			return out, nil
		}, func(int) { told++ })
		if err != nil || len(page.Records) != c.want || calls != c.calls || told != calls-1 || (page.NextCursor == "") != (calls == len(pages)) {
			t.Errorf("limit %d: %d records in %d calls, told %d times, then %q: %v", c.limit, len(page.Records), calls, told, page.NextCursor, err)
		}
	}
}

// TestTable asserts that text others chose cannot forge a row or move the cursor.
func TestTable(t *testing.T) {
	var rows table
	rows.add("purpose", "x\n\x1b[2Jalias  alias/forged")
	var out strings.Builder
	if err := rows.write(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q", out.String())
	}
}
