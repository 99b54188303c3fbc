package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/haven-health/haven/internal/secret"
)

// maxPassphrase bounds what is read as one; what is allowed is package seal's to say.
const maxPassphrase = 2048

// passphrase reads a passphrase: the only line of a file ("-" is stdin), or typed on the terminal
// without echo, twice when it is a new one.
func (a *app) passphrase(ctx context.Context, prompt, file string, twice bool) (secret.Bytes, error) {
	switch {
	case file == "-":
		return readPassphrase(a.stdin)
	case file != "":
		return readPassphraseFile(file)
	}
	terminal, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return secret.Bytes{}, errors.New("no terminal to ask for the passphrase: name a file that holds it")
	}
	first, err := a.ask(ctx, terminal, prompt+": ")
	if err != nil || !twice {
		return first, err
	}
	second, err := a.ask(ctx, terminal, "The same again: ")
	defer second.Destroy()
	if err == nil && !first.Equal(second) {
		err = errors.New("the two passphrases differ")
	}
	if err != nil {
		first.Destroy()
		return secret.Bytes{}, err
	}
	return first, nil
}

// ask reads a line without echo. An interrupt ends it and gives the terminal its echo back.
func (a *app) ask(ctx context.Context, terminal *os.File, prompt string) (secret.Bytes, error) {
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("the terminal: %w", err)
	}
	fmt.Fprint(a.stderr, prompt)
	defer fmt.Fprintln(a.stderr)
	type typed struct {
		line []byte
		err  error
	}
	read := make(chan typed, 1)
	go func() {
		line, err := term.ReadPassword(int(terminal.Fd()))
		read <- typed{line, err}
	}()
	select {
	case t := <-read:
		if t.err != nil {
			clear(t.line)
			return secret.Bytes{}, fmt.Errorf("reading the passphrase: %w", t.err)
		}
		return secret.New(t.line), nil
	case <-ctx.Done():
		return secret.Bytes{}, errors.Join(ctx.Err(), term.Restore(int(terminal.Fd()), before))
	}
}

// readPassphraseFile refuses a file that others may read, as a key file is refused.
func readPassphraseFile(name string) (secret.Bytes, error) {
	file, err := os.Open(name)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return secret.Bytes{}, err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return secret.Bytes{}, fmt.Errorf("%s is open to group or others: make it 0600, and change the passphrase", name)
	}
	return readPassphrase(file)
}

// readPassphrase reads all there is, less the newline that ends it: one line.
func readPassphrase(r io.Reader) (secret.Bytes, error) {
	all, err := secret.Read(r, maxPassphrase)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("reading the passphrase: %w", err)
	}
	defer all.Destroy()
	line := bytes.TrimSuffix(bytes.TrimSuffix(secret.Expose(all), []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(line, "\r\n") {
		return secret.Bytes{}, errors.New("the passphrase is more than one line")
	}
	return secret.New(bytes.Clone(line)), nil
}
