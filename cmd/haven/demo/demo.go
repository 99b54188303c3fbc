// Package demo tells what Haven is for, end to end, on the health record of an invented patient:
// each step runs the very command that it shows, and checks that what should hold does.
//
// It works in a temporary folder and leaves nothing. It never touches another store.
package demo

import (
	"bytes"
	"context"
	_ "embed" // ips.json
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/server"
)

// The record: an International Patient Summary (HL7 FHIR R4) of a person who does not exist.
//
//go:embed ips.json
var record []byte

// Stage is what the demonstration needs.
type Stage struct {
	// Out receives the story. Required.
	Out io.Writer
	// Haven runs one command line of the binary and returns its exit code. Required.
	Haven func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int
	// Line writes a command line as one would type it. Required.
	Line func(words ...string) string
}

// Outcome is what a demonstration came to.
type Outcome struct {
	Steps    int               `json:"steps"`
	Commands int               `json:"commands"`
	Records  map[string]uint64 `json:"records"`
}

// play is a demonstration under way.
type play struct {
	Stage
	dir, store string // the temporary folder; the store in it
	token      string
	stop       func() error // ends the server; nil while none runs
	outcome    Outcome
	expected   tally
}

// Run plays the demonstration. It returns the first thing that did not hold.
func Run(ctx context.Context, stage Stage) (out Outcome, err error) {
	dir, err := os.MkdirTemp("", "haven-demo-")
	if err != nil {
		return out, err
	}
	p := &play{Stage: stage, dir: dir, store: filepath.Join(dir, "store"), expected: tally{}}
	defer func() {
		if p.stop != nil {
			err = errors.Join(err, p.stop())
		}
		err = errors.Join(err, os.RemoveAll(dir))
		out = p.outcome
	}()
	for _, step := range story() {
		p.outcome.Steps++
		fmt.Fprintf(p.Out, "\n%d. %s\n", p.outcome.Steps, step.title)
		if err := step.play(p, ctx); err != nil {
			return out, fmt.Errorf("step %d, %s: %w", p.outcome.Steps, step.title, err)
		}
	}
	return out, nil
}

// start serves the store, making it the first time: what haven dev does.
func (p *play) start(ctx context.Context) error {
	s, err := haven.NewServer(ctx, haven.ServeConfig{
		Config: haven.Config{DataDir: p.store}, Listen: "127.0.0.1:0", Initialize: true,
	})
	if err != nil {
		return err
	}
	if system, unlocked := s.System(); unlocked && p.token == "" {
		token, _ := system.FirstToken()
		p.token = string(secret.Expose(token))
		token.Destroy()
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		ended <- s.Run(ctx, server.Announcement{File: filepath.Join(p.store, "ready.json"), Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return err
	}
	p.stop = func() error {
		p.stop = nil
		cancel()
		return <-ended
	}
	return nil
}

// haven shows and runs a command and returns what it printed.
func (p *play) haven(ctx context.Context, args ...string) ([]byte, error) {
	p.show(args)
	return p.command(ctx, nil, args)
}

// pipe shows and runs a command whose output is the input of another.
func (p *play) pipe(ctx context.Context, from, to []string) error {
	p.show(from, to)
	between, err := p.command(ctx, nil, from)
	if err != nil {
		return err
	}
	_, err = p.command(ctx, between, to)
	return err
}

// refused shows and runs a command that must be refused with the code.
func (p *play) refused(ctx context.Context, reason string, args ...string) error {
	p.show(args)
	_, stderr, code := p.run(ctx, nil, args)
	if code != 1 || !strings.Contains(stderr, reason) {
		return fmt.Errorf("should have been refused with %s: exit code %d, %s", reason, code, stderr)
	}
	p.expected.count(args, false)
	p.say("Refused, as it should be: %s", strings.TrimPrefix(stderr, "haven: "))
	return nil
}

// invalid shows and runs a verification whose answer must be no: it is answered, and recorded as
// done.
func (p *play) invalid(ctx context.Context, args ...string) error {
	p.show(args)
	_, stderr, code := p.run(ctx, nil, args)
	answer, ok := strings.CutPrefix(lastLine(stderr), "haven: not valid: ")
	if code != 1 || !ok {
		return fmt.Errorf("should not have been valid: exit code %d, %s", code, stderr)
	}
	p.expected.count(args, true)
	p.say("Not valid, as it should be: %s", answer)
	return nil
}

// lastLine is the error among what a command wrote to stderr: notes come before it.
func lastLine(stderr string) string { return stderr[strings.LastIndexByte(stderr, '\n')+1:] }

// show writes commands as one would type them.
func (p *play) show(commands ...[]string) {
	typed := make([]string, len(commands))
	for i, args := range commands {
		typed[i] = p.Line(append([]string{"haven"}, args...)...)
	}
	line := strings.ReplaceAll(strings.Join(typed, " | "), p.dir+string(filepath.Separator), "")
	fmt.Fprintf(p.Out, "   $ %s\n", line)
}

// command runs a command that must be done.
func (p *play) command(ctx context.Context, stdin []byte, args []string) ([]byte, error) {
	stdout, stderr, code := p.run(ctx, stdin, args)
	if code != 0 {
		return nil, fmt.Errorf("exit code %d: %s", code, stderr)
	}
	p.expected.count(args, true)
	return stdout, nil
}

func (p *play) run(ctx context.Context, stdin []byte, args []string) (stdout []byte, stderr string, code int) {
	p.outcome.Commands++
	var out, problems bytes.Buffer
	args = append(args, "--data", p.store, "--token", p.token)
	code = p.Haven(ctx, args, bytes.NewReader(stdin), &out, &problems)
	return out.Bytes(), strings.TrimSpace(problems.String()), code
}

// say tells the reader what happened, in lines of a terminal's width.
func (p *play) say(format string, args ...any) {
	const width = 92
	line := "  "
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		if len(line)+1+len(word) > width {
			fmt.Fprintln(p.Out, line)
			line = "  "
		}
		line += " " + word
	}
	fmt.Fprintln(p.Out, line)
}

// file names a file of the demonstration.
func (p *play) file(name string) string { return filepath.Join(p.dir, name) }
