package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/cmd/nestsession/internal/progress"
	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// moveCommand is the flags of `nestsession move`.
type moveCommand struct {
	From             string `required:"" placeholder:"URL" env:"NESTSESSION_FROM" help:"Copy the sessions of this store. The command does not change it."`
	FromPasswordFile string `placeholder:"FILE" env:"NESTSESSION_FROM_PASSWORD_FILE" help:"Read the password for --from from this file."`
	To               string `required:"" placeholder:"URL" env:"NESTSESSION_TO" help:"Copy them to this store."`
	ToPasswordFile   string `placeholder:"FILE" env:"NESTSESSION_TO_PASSWORD_FILE" help:"Read the password for --to from this file."`
	EndMissing       bool   `help:"After the copy, end the sessions at --to that --from no longer has. Use it only while no server uses --to, because it also ends sessions that were created there."`
	KeepIDs          bool   `name:"keep-ids" help:"Keep the keys of the sessions, although one store uses hashes of ids as keys and the other uses ids."`
	Scope            string `default:"connect.sid" placeholder:"NAME" help:"The Scope of the application at --to, which the copy needs if it hashes ids. If the application sets no Scope, use the name of its cookie without __Host- or __Secure-. Default: ${default}."`
	Workers          int    `default:"${workers}" placeholder:"N" help:"How many sessions to copy at the same time. Default: ${default}."`
	Verbose          bool   `short:"v" help:"Write a line for each session that is not copied, with its digest."`
	Ledger           string `placeholder:"FILE" help:"Record the copied sessions in this file, so that a later run does not bring back sessions that were ended at --to. Default: a file for these two stores in the folder \"moves\" of the data folder."`
	NewLedger        bool   `help:"Ignore what earlier runs copied: copy every session that --to does not have, even if it was ended there."`
	naming

	source, dest *storeurl.Target
}

// Help returns the help beyond the flags.
func (*moveCommand) Help() string {
	return `The command copies the live sessions of one store to another, with owner, data and expiry. You can interrupt it with Ctrl-C at any time, and ` +
		`run it again to copy the rest: it does not copy a session again that is already at --to, it keeps a session that is newer there, and a session that was copied and ended ` +
		`there stays ended. For this it keeps a ledger, a file with a digest of each copied session. Run it again ` +
		`on the same machine, or copy the ledger to the other machine and name it with --ledger. Without a ledger, move refuses a --to that has sessions. ` +
		`At the end it prints how many sessions it copied and how many it did not copy, with the reasons. The exit status is 1 if it could not copy a session that it should have copied.

To move an application: copy once while it runs, which takes most of the time; stop it; copy again with --end-missing, which copies ` +
		`the changes, and ends the sessions that were ended in the meantime; start it with the new store.

If --from has a layout of express-session and --to is a native store, the keys at --to are the hashes of the ids. This library finds the sessions if its Scope, by default the cookie's name, is the value of --scope. Sessions of a native ` +
		`store cannot be moved into a layout of express-session, because the ids cannot be computed from their hashes.

` + storesHelp
}

// Validate refuses command lines that cannot work.
func (c *moveCommand) Validate() error {
	if c.From == "" || c.To == "" {
		return errors.New("name both stores: --from URL --to URL")
	}
	var err error
	if c.source, err = storeurl.Parse(c.From, false); err != nil {
		return fmt.Errorf("--from or $NESTSESSION_FROM: %w", err)
	}
	if c.dest, err = storeurl.Parse(c.To, false); err != nil {
		return fmt.Errorf("--to or $NESTSESSION_TO: %w", err)
	}
	switch {
	case c.source.Kind == storeurl.Memory || c.dest.Kind == storeurl.Memory:
		return errInMemory
	case c.source.Same(c.dest):
		return fmt.Errorf("--from and --to are the same: %s", c.source)
	case c.Workers < 1:
		return errors.New("--workers must be at least 1")
	case c.source.Password() != "" && c.FromPasswordFile != "":
		return twoPasswords("--from", "--from-password-file")
	case c.dest.Password() != "" && c.ToPasswordFile != "":
		return twoPasswords("--to", "--to-password-file")
	case c.dest.PlainIDs() && !c.source.PlainIDs() && !c.KeepIDs:
		return fmt.Errorf("the keys of --from are hashes of ids and the keys of --to (layout %s) are ids, which cannot be computed from their hashes: "+
			"the cookies of these sessions would not match. Leave out layout=… for a native store, or write --keep-ids if the application "+
			"at --from sets InsecurePlainIDs", c.dest.Layout)
	case c.hashes() && c.EndMissing:
		return errors.New("--end-missing needs stores with the same kind of keys: a session that was copied under a hash cannot be found at --from")
	}
	return nil
}

// hashes reports whether the copy replaces ids with their hashes.
func (c *moveCommand) hashes() bool {
	return c.source.PlainIDs() && !c.dest.PlainIDs() && !c.KeepIDs
}

// Run copies.
func (c *moveCommand) Run(ctx context.Context, to output) (err error) {
	from, dest, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close(), dest.Close()) }()
	fmt.Fprintf(to.err, "from %s\nto   %s\n", from.Target, dest.Target)
	if c.hashes() {
		fmt.Fprintln(to.err, "ids are hashed during the copy")
	}
	left, err := c.reporter(to, from)
	if err != nil {
		return err
	}
	ledger, err := c.openLedger(ctx, dest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	m := move.New(from, dest, move.Options{
		Workers:   c.Workers,
		Ledger:    ledger,
		HashIDs:   c.hashes(),
		Scope:     c.Scope,
		Ownerless: keepsNoOwner(dest.Target),
		Left:      left,
	})
	total, err := from.Estimate(ctx)
	if err != nil {
		total = 0 // the progress bar then has no end
	}
	begun := time.Now()
	stop := progress.Show(to.err, progress.Options{Terminal: isTerminal(to.err), Total: total, Noun: "sessions"},
		func() int64 { return m.Report().Read })
	err = m.Run(ctx)
	if err == nil && c.EndMissing {
		err = m.EndMissing(ctx)
	}
	stop()
	r := m.Report()
	summarize(to.out, r, time.Since(begun))
	return verdict(ctx, r, err)
}

// open opens both stores.
func (c *moveCommand) open(ctx context.Context, to output) (from, dest *stores.Opened, err error) {
	source, err := withPassword(c.source, c.FromPasswordFile, "--from", "NESTSESSION_FROM", c.From, to)
	if err != nil {
		return nil, nil, err
	}
	target, err := withPassword(c.dest, c.ToPasswordFile, "--to", "NESTSESSION_TO", c.To, to)
	if err != nil {
		return nil, nil, err
	}
	const besides = 2 // connections for reading while all workers use theirs
	options := stores.Options{Conns: c.Workers + besides, Logger: quietLogger(to)}
	if from, err = stores.Open(ctx, source, options); err != nil {
		return nil, nil, fmt.Errorf("--from: %w", err)
	}
	options.Make = true
	if dest, err = stores.Open(ctx, target, options); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("--to: %w", err), from.Close())
	}
	return from, dest, nil
}

// reporter returns a function that prints which sessions were not copied; nil without --verbose.
func (c *moveCommand) reporter(to output, from *stores.Opened) (func(string, move.Outcome, error), error) {
	if !c.Verbose {
		return nil, nil
	}
	folder, err := dataFolder(c.Data, false)
	if err != nil {
		return nil, err
	}
	secrets, err := c.secrets(folder)
	if err != nil {
		return nil, err
	}
	view, err := sessions.New(from, secrets, from.Target.PlainIDs())
	if err != nil {
		return nil, err
	}
	return func(key string, why move.Outcome, err error) {
		line := string(why)
		if err != nil {
			line += ": " + printable(err.Error())
		}
		fmt.Fprintf(to.err, "%s %s\n", view.Digest(key), line)
	}, nil
}

// keepsNoOwner reports whether a store knows owners only from the documents.
func keepsNoOwner(t *storeurl.Target) bool {
	// The owner's column of a table in SQLite is computed from the document.
	return t.PlainIDs() && (t.OwnerColumn == "" || t.Kind == storeurl.SQLite)
}

// summarize prints the results.
func summarize(w io.Writer, r move.Report, took time.Duration) {
	fmt.Fprintf(w, "read %d sessions in %v\n", r.Read, took.Round(time.Millisecond))
	for _, o := range move.Outcomes {
		if n := r.Counts[o]; n > 0 {
			fmt.Fprintf(w, "%9d %s\n", n, o)
		}
	}
	if r.Refusal != nil {
		fmt.Fprintf(w, "reason for the first refusal: %s\n", printable(r.Refusal.Error()))
	}
}

// verdict returns the error of an incomplete copy.
func verdict(ctx context.Context, r move.Report, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted: run the same command again to copy the rest; sessions that end at --to until then stay ended")
	}
	if err != nil {
		return fmt.Errorf("%w; repair this and run the same command again to copy the rest; sessions that end at --to until then stay ended", err)
	}
	if n := r.Failed(); n > 0 {
		return fmt.Errorf("sessions that are missing at --to or differ from those at --from: %d; --verbose lists them", n)
	}
	return nil
}
