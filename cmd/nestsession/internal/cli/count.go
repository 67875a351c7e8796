package cli

import (
	"context"
	"errors"
	"fmt"
)

// sessionsCount is the flags of `nestsession sessions count`.
type sessionsCount struct {
	operator
	Owner string `placeholder:"OWNER" help:"Only the sessions of this owner, such as user:42."`
}

// Help returns the help beyond the flags.
func (*sessionsCount) Help() string { return storesHelp }

// Run counts the live sessions.
func (c *sessionsCount) Run(ctx context.Context, to output) (err error) {
	opened, view, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	n := 0
	for _, err := range view.All(ctx, c.Owner) {
		if err != nil {
			return err
		}
		n++
	}
	_, err = fmt.Fprintln(to.out, n)
	return err
}
