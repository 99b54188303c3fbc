package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"haven": main})
}

// TestScript drives the binary as its users do.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"HAVEN_ENDPOINT", "HAVEN_CA", "HAVEN_TOKEN", "HAVEN_DATA"} {
				env.Setenv(name, "")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "exits": exits, "json": fields, "keep": keep, "flip": flip, "long": long, "digest": digest,
			"follow": follow, "printed": printed,
		},
	})
}

// ready FILE waits until a server that was started in the background has written its ready file.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("no server became ready")
		case <-look.C:
		}
	}
}

// exits CODE COMMAND… runs a command that must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if lines := strings.Count(ts.ReadFile("stderr"), "\n"); want != 0 && lines != 1 {
		ts.Fatalf("%d lines on stderr, want one", lines)
	}
}

// document is the last command's output, which must be one JSON object on one line.
func document(ts *testscript.TestScript) map[string]any {
	out := ts.ReadFile("stdout")
	if strings.Count(out, "\n") != 1 {
		ts.Fatalf("not one line: %q", out)
	}
	var doc map[string]any
	ts.Check(json.Unmarshal([]byte(out), &doc))
	return doc
}

// json NAME[=VALUE]… checks members of the JSON that the last command printed.
func fields(ts *testscript.TestScript, neg bool, args []string) {
	doc := document(ts)
	for _, arg := range args {
		name, want, given := strings.Cut(arg, "=")
		value, found := doc[name]
		if found == neg && !given {
			ts.Fatalf("member %s: found %v in %v", name, found, doc)
		}
		if given && (text(value) == want) == neg {
			ts.Fatalf("member %s is %s", name, text(value))
		}
	}
}

// keep NAME VARIABLE keeps a member of the JSON that the last command printed.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME VARIABLE")
	}
	value, found := document(ts)[args[0]]
	if !found {
		ts.Fatalf("no member %s", args[0])
	}
	ts.Setenv(args[1], text(value))
}

func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	b, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// long FILE BYTES writes a file of so many bytes.
func long(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: long FILE BYTES")
	}
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), make([]byte, size), 0o600))
}

// digest FILE NEW writes the SHA-256 of a file to another.
func digest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: digest FILE NEW")
	}
	sum := sha256.Sum256([]byte(ts.ReadFile(args[0])))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), sum[:], 0o600))
}

// flip FILE OFFSET changes a bit of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b[offset] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}
