package cli

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// sessionsFileName is the file of the sessions in the data folder.
const sessionsFileName = "sessions.db"

// storeFlags say where the sessions are.
type storeFlags struct {
	Store             string `placeholder:"URL" env:"NESTSESSION_STORE" help:"The store of the sessions: see above. Default: the file \"sessions.db\" in the data folder."`
	StorePasswordFile string `placeholder:"FILE" env:"NESTSESSION_STORE_PASSWORD_FILE" help:"Read the password for the store from this file, which only its owner may read."`
	Express           bool   `env:"NESTSESSION_EXPRESS" help:"Share cookies and sessions with express-session applications: the cookie is connect.sid, secrets are used unchanged, and the store has the layout of connect-redis, connect-pg-simple, express-mysql-session or connect-sqlite3."`
}

// storesHelp is the help about URLs of each command with a store.
const storesHelp = `A store is named by a URL:

    sqlite:PATH                                a file
    postgres://USER@HOST:PORT/DATABASE
    mysql://USER@HOST:PORT/DATABASE            MySQL and MariaDB
    redis://USER@HOST:PORT/NUMBER              rediss:// with TLS
    redis+sentinel://HOST,HOST?master=NAME     rediss+sentinel://
    redis+cluster://HOST,HOST                  rediss+cluster://
    nats://USER@HOST:PORT,HOST:PORT            NATS JetStream; tls:// with TLS

Parameters follow a question mark: table, schema, prefix, create=true to create the table, layout for the table of ` +
	`an npm package (connect-pg-simple, express-mysql-session, connect-sqlite3, better-sqlite3-session-store, connect-redis), ` +
	`column.sid, column.data and column.expires for other column names, ` +
	`owner-column, ttl and time-zone for these tables, sslmode and tls; bucket and replicas for NATS. PostgreSQL publishes changes with a trigger, which create=true ` +
	`creates, and Redis with CLIENT TRACKING, which its user must be allowed to call. With notify=false a server polls the store every two seconds instead.

A URL can contain a password (postgres://USER:PASSWORD@HOST/DATABASE), but every user of the machine can read command lines: ` +
	`put the URL into the environment, or the password into a file.`

// validate refuses URLs that cannot work before anything is made.
func (f *storeFlags) validate() error {
	if f.Store == "" {
		return nil
	}
	t, err := storeurl.Parse(f.Store, f.Express)
	if err != nil {
		return fmt.Errorf("--store or $NESTSESSION_STORE: %w", err)
	}
	if f.StorePasswordFile != "" && t.Password() != "" {
		return twoPasswords("--store", "--store-password-file")
	}
	return nil
}

// operated is target for the commands of an operator: by default the cluster, if a node of one runs in
// the data folder.
func (f *storeFlags) operated(folder string, to output) (*storeurl.Target, error) {
	if f.Store == "" {
		if t, err := runningNode(folder); err != nil || t != nil {
			return t, err
		}
	}
	return f.target(folder, to)
}

// target returns the store; by default a file in the data folder.
func (f *storeFlags) target(folder string, to output) (*storeurl.Target, error) {
	text := f.Store
	if text == "" {
		text = fileURL(folder, sessionsFileName)
	}
	t, err := storeurl.Parse(text, f.Express)
	if err != nil {
		return nil, err
	}
	return withPassword(t, f.StorePasswordFile, "--store", "NESTSESSION_STORE", text, to)
}

// withPassword gives a store the password in a file, and warns of a password on the command line.
func withPassword(t *storeurl.Target, file, flag, variable, text string, to output) (*storeurl.Target, error) {
	if t.Password() != "" && os.Getenv(variable) != text {
		fmt.Fprintf(to.err, "nestsession: every user of this machine can read the password in %s: put the URL into $%s, or the password into a file for %s-password-file\n", flag, variable, flag)
	}
	if file == "" {
		return t, nil
	}
	password, err := config.ReadPassword(file)
	if err != nil {
		return nil, err
	}
	return t.WithPassword(password), nil
}

// usersFileName is the file of the accounts in the data folder.
const usersFileName = "users.db"

// usersFlags say where the accounts are.
type usersFlags struct {
	Users             string `placeholder:"URL" env:"NESTSESSION_USERS" help:"The database of the users: sqlite:PATH, postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE or nats://HOST,HOST. Servers on several machines need one of the last three, or --cluster. Default: the file \"users.db\" in the data folder."`
	UsersPasswordFile string `placeholder:"FILE" env:"NESTSESSION_USERS_PASSWORD_FILE" help:"Read the password for the database of the users from this file, which only its owner may read."`
}

// validateUsers refuses URLs that cannot work before anything is made.
func (f *usersFlags) validateUsers() error {
	if f.Users == "" {
		return nil
	}
	t, err := storeurl.ParseUsers(f.Users)
	if err != nil {
		return fmt.Errorf("--users or $NESTSESSION_USERS: %w", err)
	}
	if f.UsersPasswordFile != "" && t.Password() != "" {
		return twoPasswords("--users", "--users-password-file")
	}
	return nil
}

// usersTarget returns the database of the users; by default a file in the data folder.
func (f *usersFlags) usersTarget(folder string, to output) (*storeurl.Target, error) {
	text := f.Users
	if text == "" {
		text = fileURL(folder, usersFileName)
	}
	t, err := storeurl.ParseUsers(text)
	if err != nil {
		return nil, err
	}
	return withPassword(t, f.UsersPasswordFile, "--users", "NESTSESSION_USERS", text, to)
}

func fileURL(folder, name string) string {
	return "sqlite:" + (&url.URL{Path: filepath.Join(folder, name)}).EscapedPath()
}

func twoPasswords(flag, file string) error {
	return fmt.Errorf("%s has a password, and %s has another one: leave out one of them", flag, file)
}
