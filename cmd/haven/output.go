package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/term"
)

// answer prints what a command has to say: value as one line of JSON, or the rows for people.
func (a *app) answer(value any, rows *table) error {
	if a.output == "json" {
		return writeJSON(a.stdout, value)
	}
	return rows.write(a.stdout)
}

// writeJSON writes one line of JSON, the same for the same value.
func writeJSON(w io.Writer, value any) error {
	line, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// table is aligned text: rows of cells.
type table struct{ rows [][]string }

// add adds a row; a row whose only value is empty says nothing and is left out.
func (t *table) add(cells ...string) {
	if len(cells) == 2 && cells[1] == "" {
		return
	}
	t.rows = append(t.rows, cells)
}

func (t *table) write(w io.Writer) error {
	aligned := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range t.rows {
		// Text that others chose must not move the cursor or forge a row.
		clean := make([]string, len(row))
		for i, cell := range row {
			clean[i] = printable(cell)
		}
		fmt.Fprintln(aligned, strings.Join(clean, "\t"))
	}
	return aligned.Flush()
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// printableLines is a text of several lines that moves nothing but to the next line.
func printableLines(s string) string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(s, "\t", "    "), "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = printable(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// when is a time for people; "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// progress tells a person who waits what is being done; programs are told nothing.
func (a *app) progress(format string, args ...any) {
	if isTerminal(a.stderr) && a.output == "text" {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// note tells something that matters besides the answer, also to programs' logs.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// writeBytes writes bytes that are not text to a new file or, without one, to stdout. A terminal
// would interpret them.
func (a *app) writeBytes(out string, b []byte) error {
	if out == "" && isTerminal(a.stdout) {
		return errors.New("binary output does not go to a terminal: use --out FILE, a pipe, or --output json")
	}
	return a.writeWhole(out, func(to io.Writer) error {
		_, err := to.Write(b)
		return err
	})
}

// readInput reads a file or, without one, stdin: limit bytes at most.
func (a *app) readInput(in string, limit int64) ([]byte, error) {
	from := a.stdin
	if in != "" {
		file, err := os.Open(in)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	b, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the input: %w", err)
	}
	if int64(len(b)) > limit {
		clear(b)
		return nil, fmt.Errorf("the input is over %d bytes", limit)
	}
	return b, nil
}

// quoted is a text as a JSON string, made in bytes that can be wiped.
func quoted(text []byte) ([]byte, error) {
	out, err := jsontext.AppendQuote(make([]byte, 0, 6*len(text)+2), text)
	if err != nil {
		return nil, errors.New("the passphrase is not valid UTF-8")
	}
	return out, nil
}
