// Package cli is the command line: its commands, their flags and their messages.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
	"github.com/nestsession/session/cmd/nestsession/internal/move"
)

// The exit statuses of the commands.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // as the shell's own commands
)

// grammar is all commands, and the flags that they share.
type grammar struct {
	Serve    serve           `cmd:"" help:"Run the login server."`
	Proxy    proxy           `cmd:"" help:"Run a reverse proxy that passes on the requests of users who are logged in."`
	Health   health          `cmd:"" help:"Check whether a server is healthy."`
	Explain  explain         `cmd:"" help:"List what happened to a session, from the event logs."`
	Sessions sessionCommands `cmd:"" help:"List, show, end, count and sweep sessions in a store."`
	Accounts accountCommands `cmd:"" help:"List, disable and delete accounts."`
	Move     moveCommand     `cmd:"" help:"Copy the sessions of one store to another."`
	Secret   secretCommands  `cmd:"" help:"Make secrets."`
	Cookie   cookieCommands  `cmd:"" help:"Inspect a session's cookie."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// finished is the value with which the parser panics instead of ending the process.
type finished struct{ status int }

// Run executes a command line until the command returns or ctx ends, and returns the exit status.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case finished:
			status = v.status
		default:
			panic(v)
		}
	}()
	folder, err := config.DefaultFolder()
	if err != nil {
		folder = "" // serve reports the error if no flag names a folder
	}
	var commands grammar
	parser, err := kong.New(&commands,
		kong.Name("nestsession"),
		kong.Description("A login server that keeps its sessions on the server, and the operator's commands for them."),
		kong.Vars{"folder": folder, "workers": strconv.Itoa(move.DefaultWorkers)},
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { panic(finished{status}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 96}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(output{stdout, stderr}, input{stdin}),
	)
	if err != nil {
		return fail(stderr, exitFailed, err.Error())
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if wrong := (*kong.ParseError)(nil); errors.As(err, &wrong) {
		path := strings.TrimSpace("nestsession " + wrong.Context.Command())
		return fail(stderr, exitUsage, wrong.Error(), fmt.Sprintf("Run `%s --help` to see the flags and arguments.", path))
	}
	if err != nil {
		return fail(stderr, exitUsage, err.Error())
	}
	if err := command.Run(); err != nil {
		return fail(stderr, exitFailed, err.Error())
	}
	return exitOK
}

func fail(w io.Writer, status int, lines ...string) int {
	fmt.Fprintf(w, "nestsession: %s\n", strings.Join(lines, "\n"))
	return status
}
