package main

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// readmePath is where README.md is; the tests run in this folder.
const readmePath = "../../README.md"

// task returns the command lines that README.md gives for a task, which begins with its name in
// bold; the empty name is what comes before the first.
func task(ts *testscript.TestScript, name string) (lines []string) {
	page, err := os.ReadFile(readmePath)
	ts.Check(err)
	_, tasks, found := strings.Cut(string(page), "\n## Five common tasks\n")
	tasks, _, ended := strings.Cut(tasks, "\n## ")
	if !found || !ended {
		ts.Fatalf("README.md has no common tasks")
	}
	text, _, _ := strings.Cut(tasks, "\n**")
	if name != "" {
		_, text, found = strings.Cut(tasks, "\n**"+name)
		text, _, _ = strings.Cut(text, "\n**")
	}
	_, block, began := strings.Cut(text, "```sh\n")
	block, _, ended = strings.Cut(block, "```")
	if !found || !began || !ended {
		ts.Fatalf("README.md has no commands for %q", name)
	}
	return strings.Split(strings.TrimSuffix(block, "\n"), "\n")
}

// follow TASK runs the command lines of a task of README.md as they are printed. One that says
// "# refused" must be.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: follow TASK")
	}
	for _, line := range task(ts, args[0]) {
		if variable, ok := strings.CutPrefix(line, "export "); ok {
			name, value, _ := strings.Cut(variable, "=")
			ts.Setenv(name, value)
			continue
		}
		refused := strings.HasSuffix(line, "# refused")
		if err := ts.Exec("sh", "-c", line); (err != nil) != refused {
			ts.Fatalf("%s\nended with %v\n%s", line, err, ts.ReadFile("stderr"))
		}
	}
}

// printed TASK FILE... writes the command lines of a task of README.md to a file each, for those
// that need a terminal or go on. The port alone is another: 7443 may be taken.
func printed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: printed TASK FILE...")
	}
	lines := task(ts, args[0])
	if len(lines) != len(args)-1 {
		ts.Fatalf("%d commands, want %d", len(lines), len(args)-1)
	}
	for i, line := range lines {
		line, _, _ = strings.Cut(line, " # ")
		if strings.HasPrefix(line, "haven serve ") {
			line = strings.TrimSpace(line) + " --listen 127.0.0.1:0"
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[i+1]), []byte("exec "+line+"\n"), 0o600))
	}
}
