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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once it drains, a second Ctrl-C ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
