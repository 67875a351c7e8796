// Command nestsession is a login server on sessions that stay on the server:
// `nestsession serve`, and a browser, are all it takes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/nestsession/session/cmd/nestsession/internal/cli"
)

func main() {
	pressed, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	// The signal is released before the command is canceled, so that a second Ctrl-C ends
	// the process at once.
	context.AfterFunc(pressed, func() { release(); cancel() })
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
