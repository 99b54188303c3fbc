package benchmark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
)

// child is a running child process, and the connections to it.
type child struct {
	greeting
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	client *client
}

// startChild starts a child and waits for its greeting.
func startChild(ctx context.Context, cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.answer(&c.greeting); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	c.client, err = newClient(c.greeting)
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *child) answer(into any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}

// ask sends a command and returns what the child has used.
func (c *child) ask(command string) (u usage, err error) {
	if _, err := io.WriteString(c.in, command+"\n"); err != nil {
		return u, err
	}
	return u, c.answer(&u)
}

// stop ends the child by ending its input.
func (c *child) stop() error {
	if c.client != nil {
		c.client.close()
	}
	return errors.Join(c.in.Close(), c.cmd.Wait())
}
