package stores

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// reason says in a sentence why a store cannot be used, and what to do.
func reason(t *storeurl.Target, o Options, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist) && t.Kind == storeurl.SQLite && o.Make:
		return "the folder of the file does not exist: create it, or choose another folder"
	case errors.Is(err, fs.ErrNotExist) && t.Kind == storeurl.SQLite:
		return "the file does not exist: check the path, or start `nestsession serve`, which creates it"
	case errors.Is(err, fs.ErrPermission) && t.Kind == storeurl.SQLite:
		return "this user may not read and write the file: check its owner and mode"
	case refused(t, err) && o.users:
		return "the server refused the user name or the password: check both; the password can also be in the file that --users-password-file names"
	case refused(t, err):
		return "the server refused the user name or the password: check both; the password can also be in the file that --store-password-file names (--from-password-file and --to-password-file for move)"
	case noDatabase(t, err):
		return fmt.Sprintf("the server has no database %q for this user: create it, or correct the URL", t.Database)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Sprintf("the host %s has no address: check the URL", dns.Name)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		cause := op.Err
		var call *os.SyscallError
		if errors.As(cause, &call) {
			cause = call.Err
		}
		return fmt.Sprintf("the server cannot be reached: %v: is it running, and are the host and the port right?", cause)
	}
	if errors.Is(err, nats.ErrNoServers) {
		return "no server can be reached: is one running, and are the hosts and the ports right?"
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("the server did not answer within %v: is it running, and are the host and the port right?", o.Timeout)
	}
	return words.Replace(err.Error())
}

// words replaces the names of Config fields in the stores' errors with the parameters of a URL.
var words = strings.NewReplacer(
	"natsstore: ", "", "Config.Replicas", "replicas", "users: ", "", "memstore: ", "", "sqlstore: ", "", "redisstore: ", "", "pgxstore: ", "",
	"does not report changes: set Config.Create, or run:", "does not report changes: add create=true to the URL's parameters to create that, or notify=false to poll instead, or run:",
	"a proxy before it, does not report changes:", "a proxy before it, does not report changes; add notify=false to the URL's parameters to poll instead, or correct this:",
	"set Config.Direct to a pool whose connections go to the server itself", "name the server itself in the URL, or add notify=false to its parameters to poll instead",
	"set Config.Create, or run:", "add create=true to the URL's parameters to create it, or run:",
	"let Config.Create add it", "let create=true in the URL add it",
	"Config.OwnerColumn", "owner-column", "Config.Columns.ID", "column.sid", "Config.Columns.Data", "column.data", "Config.Columns.Expires", "column.expires", "Config.TimeZone", "time-zone", "Config.Prefix", "prefix",
	"Config.Schema", "schema", "Config.Table", "table", "Config.TTL", "ttl",
)

// refused reports whether a server refused the login.
func refused(t *storeurl.Target, err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "28P01" || pg.Code == "28000"
	}
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == 1045 || my.Number == 1698
	}
	if t.Kind == storeurl.NATS {
		return errors.Is(err, nats.ErrAuthorization)
	}
	if t.Kind == storeurl.Redis {
		for _, code := range []string{"WRONGPASS", "NOAUTH", "ERR AUTH", "ERR invalid password"} {
			if strings.Contains(err.Error(), code) {
				return true
			}
		}
	}
	return false
}

// noDatabase reports whether the database does not exist, or the user has no right to it.
func noDatabase(t *storeurl.Target, err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "3D000"
	}
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == 1049 || my.Number == 1044
	}
	return t.Kind == storeurl.Redis && strings.Contains(err.Error(), "DB index is out of range")
}

// minScrubbed is the length of the shortest password that is removed: a shorter one is a part of
// many words.
const minScrubbed = 4

// scrub removes the password from a text in which a driver may have put it.
func scrub(t *storeurl.Target, text string) string {
	if len(t.Password()) < minScrubbed {
		return text
	}
	return strings.ReplaceAll(text, t.Password(), "(password)")
}
