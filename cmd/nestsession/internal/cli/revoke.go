package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
)

// sessionsRevoke is the flags of `nestsession sessions revoke`.
type sessionsRevoke struct {
	operator
	Sessions []string `arg:"" optional:"" name:"session" help:"The digests of the sessions, as list shows them, or their first characters."`
	Owner    string   `placeholder:"OWNER" help:"All sessions of this owner, such as user:42."`
	All      bool     `help:"All sessions of all users. Also needs --yes."`
	Yes      bool     `help:"Confirm --all."`
}

// Help returns the help beyond the flags.
func (*sessionsRevoke) Help() string {
	return `The session ends on every server that shares the store, with its next request, and no request in progress ` +
		`brings it back. The user has to log in again. The command prints how many sessions it ended.

` + storesHelp
}

// Validate refuses a command line that does not say which sessions to end.
func (c *sessionsRevoke) Validate() error {
	if err := c.operator.Validate(); err != nil {
		return err
	}
	ways := 0
	for _, given := range []bool{len(c.Sessions) > 0, c.Owner != "", c.All} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("say which sessions to end: write digests as list shows them, or --owner OWNER, or --all")
	}
	if c.All && !c.Yes {
		return errors.New("--all ends the sessions of all users: add --yes to confirm")
	}
	return nil
}

// Run ends sessions.
func (c *sessionsRevoke) Run(ctx context.Context, to output) (err error) {
	opened, view, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	n := 0
	switch {
	case len(c.Sessions) > 0:
		n, err = c.named(ctx, view)
	default:
		n, err = view.RevokeAll(ctx, c.Owner)
	}
	if n != 0 || err == nil {
		fmt.Fprintln(to.out, endedText(n))
	}
	return err
}

func (c *sessionsRevoke) named(ctx context.Context, view *sessions.View) (n int, err error) {
	// All sessions are looked up before one is ended, so that a mistyped name ends none.
	var found []sessions.Session
	for _, name := range c.Sessions {
		s, err := view.Find(ctx, name)
		if err != nil {
			return 0, err
		}
		found = append(found, s)
	}
	for _, s := range found {
		if err := view.Revoke(ctx, s); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func endedText(n int) string {
	if n == 1 {
		return "ended 1 session"
	}
	return fmt.Sprintf("ended %d sessions", n)
}
