package cli

import (
	"context"
	"errors"
	"log/slog"

	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// sessionCommands are the commands about sessions.
type sessionCommands struct {
	List   sessionsList   `cmd:"" help:"List the sessions, of all users or of one."`
	Show   sessionsShow   `cmd:"" help:"Show the contents of one session."`
	Revoke sessionsRevoke `cmd:"" help:"End sessions: one, those of an owner, or all."`
	Count  sessionsCount  `cmd:"" help:"Count the sessions, of all users or of one."`
	Sweep  sessionsSweep  `cmd:"" help:"Remove the expired sessions, from cron."`
}

// naming has the secrets of the digests by which commands name sessions.
type naming struct {
	Data       string `default:"${folder}" placeholder:"FOLDER" env:"NESTSESSION_DATA" help:"The data folder of the server. Default: ${default}."`
	SecretFile string `placeholder:"FILE" env:"NESTSESSION_SECRET_FILE" help:"Show the digests that the log of a server with these secrets has. Default: the file \"secret\" in the data folder. Without secrets the digests differ from those in the log, but the commands accept them too."`
}

// secrets returns them, none if there are none.
func (n *naming) secrets(folder string) ([]string, error) {
	source := secretSource{file: n.SecretFile, folder: folder, short: true}
	secrets, _, err := source.read()
	if err != nil && source.named() {
		return nil, err
	}
	return secrets, nil
}

// operator is the flags of all commands that read a store.
type operator struct {
	storeFlags
	naming
}

// Validate refuses stores that cannot be read.
func (o *operator) Validate() error { return o.storeFlags.validate() }

// errInMemory says why a store in memory has nothing to show.
var errInMemory = errors.New("the sessions of memory: are inside the running server, and this command cannot reach them")

// open opens the store.
func (o *operator) open(ctx context.Context, to output) (*stores.Opened, *sessions.View, error) {
	folder, err := dataFolder(o.Data, false)
	if err != nil {
		return nil, nil, err
	}
	target, err := o.operated(folder, to)
	if err != nil {
		return nil, nil, err
	}
	if target.Kind == storeurl.Memory {
		return nil, nil, errInMemory
	}
	secrets, err := o.secrets(folder)
	if err != nil {
		return nil, nil, err
	}
	opened, err := stores.Open(ctx, target, stores.Options{Logger: quietLogger(to)})
	if err != nil {
		return nil, nil, err
	}
	view, err := sessions.New(opened, secrets, target.PlainIDs())
	if err != nil {
		return nil, nil, errors.Join(err, opened.Close())
	}
	return opened, view, nil
}

// quietLogger prints warnings and errors for the user of a command.
func quietLogger(to output) *slog.Logger {
	return slog.New(slog.NewTextHandler(to.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
