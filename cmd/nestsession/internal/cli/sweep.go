package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

// sessionsSweep is the flags of `nestsession sessions sweep`.
type sessionsSweep struct{ operator }

// Help returns the help beyond the flags.
func (*sessionsSweep) Help() string {
	return `The command removes the expired sessions of a store, and prints how many. Run it from cron if your application never removes them itself. ` +
		`A program with this library sweeps by itself. Redis expires sessions by itself: the command then prints that there is nothing to sweep, ` +
		`which is not an error. The exit status is 0, or 1 if the store failed; sessions that were removed before the failure stay removed.

    */15 * * * *  nestsession sessions sweep --store sqlite:/var/lib/app/sessions.db

` + storesHelp
}

// Run removes expired sessions.
func (c *sessionsSweep) Run(ctx context.Context, to output) (err error) {
	opened, _, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	sweeper, ok := store.As[store.Sweeper](opened)
	if !ok {
		_, err = fmt.Fprintf(to.out, "nothing to sweep: %s expires sessions by itself\n", opened.Target.Kind)
		return err
	}
	n, err := sweeper.Sweep(ctx)
	if n != 0 || err == nil {
		fmt.Fprintln(to.out, sweptText(n))
	}
	if err != nil {
		return fmt.Errorf("sweeping %s: %w", opened.Target, err)
	}
	return nil
}

func sweptText(n int) string {
	if n == 1 {
		return "removed 1 expired session"
	}
	return fmt.Sprintf("removed %d expired sessions", n)
}
