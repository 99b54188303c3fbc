package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
)

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStorage = 74 // EX_IOERR of sysexits.h
)

// app is one run of the binary: what it has of the outside, and the flags every command takes.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	output   string
	endpoint string
	ca       string
	token    string
	data     string

	clientCert, clientKey        string
	accessKeyID, secretAccessKey string

	// began is set once a command's own work began: errors before that are wrong usage.
	began bool
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	switch code := exitCode(err, a.began); code {
	case exitDone:
		return code
	case exitUsage:
		fmt.Fprintf(stderr, "haven: %s; see %s --help\n", oneLine(err), command.CommandPath())
		return code
	default:
		fmt.Fprintf(stderr, "haven: %s\n", oneLine(advised(err)))
		return code
	}
}

// exitCode maps an error; began tells whether the command's own work had begun.
func exitCode(err error, began bool) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case !began, errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, store.ErrFailed), errors.Is(err, disk.ErrFailed):
		return exitStorage
	}
	return exitFailed
}

// usageError says that a command was called in a way it cannot mean.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// advised adds what to do to errors that do not know that a person reads them.
func advised(err error) error {
	switch {
	case errors.Is(err, disk.ErrLocked):
		return fmt.Errorf("%w: a server runs on this data folder; stop it first", err)
	case errors.Is(err, store.ErrFailed), errors.Is(err, disk.ErrFailed):
		return fmt.Errorf("%w: check the disk, then start again: the start finds out what is durable", err)
	}
	return err
}

// oneLine puts an error, which may be several joined, on one line without our own name.
func oneLine(err error) string {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	return strings.TrimPrefix(text, "haven: ")
}

const rootHelp = `Haven is the key management system of the Haven Health Passport: it creates, uses,
rotates, retires and destroys the keys that protect health records, and records what was
done with each.

Commands that speak with a server find it by --endpoint, --ca and --token, or the variables
HAVEN_ENDPOINT, HAVEN_CA and HAVEN_TOKEN, or by --data or HAVEN_DATA, the data folder of a
server on this machine. In place of a token an access key signs (--access-key-id) or a
certificate is shown (--client-cert). A flag wins over a variable.

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 74 the disk failed under the journal.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "haven",
		Short: "Key management for a health record that people carry across borders",
		Long:  rootHelp,
		Example: `  haven dev                                  # a server to try things on, in ./haven-dev
  haven demo                                 # the whole story, in a temporary folder`,
		Args: noneBut("a command"), RunE: help,
		SilenceErrors: true, SilenceUsage: true,
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "text", "text, for people, or json, for programs")
	flags.StringVar(&a.endpoint, "endpoint", "", "the server's `URL` (HAVEN_ENDPOINT)")
	flags.StringVar(&a.ca, "ca", "", "a `file` of certificates to trust (HAVEN_CA)")
	flags.StringVar(&a.token, "token", "", "the bearer `token`, of Haven or of an OpenID Connect issuer; HAVEN_TOKEN keeps it out of the list of processes")
	flags.StringVar(&a.accessKeyID, "access-key-id", "", "the `id` of an access key to sign with (HAVEN_ACCESS_KEY_ID)")
	flags.StringVar(&a.secretAccessKey, "secret-access-key", "", "its `secret`; HAVEN_SECRET_ACCESS_KEY keeps it out of the list of processes")
	flags.StringVar(&a.clientCert, "client-cert", "", "a certificate `file` to prove with who calls (HAVEN_CLIENT_CERT)")
	flags.StringVar(&a.clientKey, "client-key", "", "its key `file` (HAVEN_CLIENT_KEY)")
	flags.StringVar(&a.data, "data", "", "the server's data `folder` (HAVEN_DATA)")
	root.AddGroup(
		&cobra.Group{ID: groupServer, Title: "Servers:"},
		&cobra.Group{ID: groupKeys, Title: "Managing keys:"},
		&cobra.Group{ID: groupUse, Title: "Using keys:"},
		&cobra.Group{ID: groupAccess, Title: "Who may do what:"},
		&cobra.Group{ID: groupOperate, Title: "Operating:"},
	)
	root.AddCommand(
		a.dev(), a.demo(), a.init(), a.serve(),
		a.key(), a.encrypt(), a.decrypt(), a.reEncrypt(), a.dataKey(), a.random(),
		a.vault(), a.sign(), a.verify(), a.mac(), a.verifyMAC(), a.publicKey(), a.agree(), a.encapsulate(), a.decapsulate(),
		a.hpkeSeal(), a.hpkeOpen(),
		a.principal(), a.group(), a.credential(), a.policy(), a.role(), a.whoami(), a.access(), a.grant(),
		a.status(), a.rotation(), a.audit(), a.approval(), a.unseal(), a.seal(), a.clock(), a.fsck(), a.bench(), a.benchServer(), a.version(),
	)
	a.prepare(root)
	return root
}

const (
	groupServer  = "server"
	groupKeys    = "keys"
	groupUse     = "use"
	groupAccess  = "access"
	groupOperate = "operate"
)

// prepare lets every command check the flags that all have, and notes when its own work begins.
func (a *app) prepare(c *cobra.Command) {
	if do := c.RunE; do != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if a.output != "text" && a.output != "json" {
				return usagef("--output is text or json")
			}
			a.began = true
			return do(c, args)
		}
	}
	for _, child := range c.Commands() {
		a.prepare(child)
	}
}

// help is what a command that only has others below it does by itself.
func help(c *cobra.Command, _ []string) error { return c.Help() }

// noneBut refuses arguments, saying what was expected in their place.
func noneBut(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("%q is not %s of %s", args[0], what, c.CommandPath())
		}
		return nil
	}
}
