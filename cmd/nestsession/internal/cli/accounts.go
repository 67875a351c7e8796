package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// accountCommands are what an operator does with accounts.
type accountCommands struct {
	List    accountsList    `cmd:"" help:"List the accounts."`
	Disable accountsDisable `cmd:"" help:"Disable accounts: nobody can log in to them, and their sessions end."`
	Enable  accountsEnable  `cmd:"" help:"Let the users of disabled accounts log in again."`
	Delete  accountsDelete  `cmd:"" help:"Delete accounts permanently, and end their sessions."`
}

// accountsHelp is the help of these commands beyond the flags.
const accountsHelp = `The server may be running. The change takes effect with the next request to any server that has these users, ` +
	`wherever its sessions are stored, and open pages are notified within about two seconds.`

// accountFlags say where the accounts are.
type accountFlags struct {
	Data string `default:"${folder}" placeholder:"FOLDER" env:"NESTSESSION_DATA" help:"The data folder of the server. Default: ${default}."`

	usersFlags
}

// Help returns the help beyond the flags.
func (*accountFlags) Help() string { return accountsHelp }

// Validate refuses command lines that cannot work.
func (f *accountFlags) Validate() error { return f.validateUsers() }

func (f *accountFlags) open(ctx context.Context, to output) (*users.Accounts, error) {
	folder := ""
	if f.Users == "" {
		var err error
		if folder, err = dataFolder(f.Data, false); err != nil {
			return nil, err
		}
	}
	var t *storeurl.Target
	var err error
	if f.Users == "" {
		t, err = runningNode(folder)
	}
	if err == nil && t == nil {
		t, err = f.usersTarget(folder, to)
	}
	if err != nil {
		return nil, err
	}
	return openAccounts(ctx, t)
}

// accountsList is the flags of `nestsession accounts list`.
type accountsList struct {
	accountFlags
	JSON bool `name:"json" help:"Write one JSON object per line."`
}

// Help returns the help beyond the flags.
func (*accountsList) Help() string {
	return `On a terminal the list is a table. Otherwise it is a line per account, with tabs between id, name, creation time and the time when it was ` +
		`disabled. The times are as in RFC 3339, and "-" means never. For account 42, the owner of the sessions is user:42 in ` +
		"`nestsession sessions list --owner`; if the server uses --express, it is user:42@ with the suffix that this command shows."
}

// accountLine is an account as JSON.
type accountLine struct {
	ID       int64      `json:"id"`
	Username string     `json:"username"`
	Created  *time.Time `json:"created,omitempty"`
	Disabled *time.Time `json:"disabled,omitempty"`
}

// Run lists the accounts in the order in which they were made.
func (c *accountsList) Run(ctx context.Context, to output) (err error) {
	accounts, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to.out)
	defer func() { err = errors.Join(err, w.Flush(), accounts.Close()) }()
	table := isTerminal(to.out)
	if table && !c.JSON {
		fmt.Fprintf(w, "%-8s %-24s %-20s %s\n", "ID", "NAME", "CREATED", "DISABLED")
	}
	return accounts.Each(ctx, func(a users.Account) error {
		if c.JSON {
			return json.NewEncoder(w).Encode(accountLine{a.ID, a.Username, known(a.Created), known(a.Disabled)})
		}
		layout := "%d\t%s\t%s\t%s\n"
		if table {
			layout = "%-8d %-24s %-20s %s\n"
		}
		_, err := fmt.Fprintf(w, layout, a.ID, oneLine(a.Username), moment(a.Created), moment(a.Disabled))
		return err
	})
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// accountNames are the accounts that a command is for.
type accountNames struct {
	accountFlags
	Names []string `arg:"" name:"name" help:"The names of the accounts."`
}

// each does the same to every account, and prints what it did. An unknown name does not stop it,
// but is an error at the end.
func (n *accountNames) each(ctx context.Context, to output, done string, do func(*users.Accounts, context.Context, string) (users.Account, error)) (err error) {
	accounts, err := n.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, accounts.Close()) }()
	var failed []error
	for _, name := range n.Names {
		a, err := do(accounts, ctx, name)
		switch {
		case errors.Is(err, users.ErrUnknown):
			failed = append(failed, fmt.Errorf("there is no account %q: `nestsession accounts list` shows the accounts", name))
		case err != nil:
			return errors.Join(append(failed, err)...)
		default:
			fmt.Fprintf(to.out, "%s %s (user:%d)\n", done, oneLine(a.Username), a.ID)
		}
	}
	return errors.Join(failed...)
}

type accountsDisable struct{ accountNames }

// Run disables accounts.
func (c *accountsDisable) Run(ctx context.Context, to output) error {
	return c.each(ctx, to, "disabled", (*users.Accounts).Disable)
}

type accountsEnable struct{ accountNames }

// Run enables accounts.
func (c *accountsEnable) Run(ctx context.Context, to output) error {
	return c.each(ctx, to, "enabled", (*users.Accounts).Enable)
}

type accountsDelete struct {
	accountNames
	Yes bool `help:"Confirm it."`
}

// Validate refuses command lines that may be a mistake.
func (c *accountsDelete) Validate() error {
	if !c.Yes {
		return errors.New("a deleted account cannot be restored: add --yes to confirm, or disable it")
	}
	return c.accountFlags.Validate()
}

// Run deletes accounts.
func (c *accountsDelete) Run(ctx context.Context, to output) error {
	return c.each(ctx, to, "deleted", (*users.Accounts).Delete)
}
