// Haven is the one binary: server, offline tools and command line of the Haven key management
// system.
//
// It guarantees the exit codes 0 (done), 1 (refused or failed, one line on stderr saying what,
// which and what to do), 2 (wrong usage) and 74 (the disk failed under the journal), and that a
// secret is printed only where a command's purpose is to print it. It chooses adapters and nothing
// else: what a command does is done by the packages below.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what the first could not
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
