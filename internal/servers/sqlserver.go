//go:build unix

package servers

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// The user of the databases, for PostgreSQL and MariaDB. The password is unusual, so that tests
// find it wherever it must not be.
const (
	databaseUser     = "nest"
	databasePassword = "s3cr3t-p4ssw0rd"
)

// sqlServer is what PostgreSQL and MariaDB have in common.
type sqlServer struct {
	*process
	sequence
	admin func(database, sql string) (printed string, err error) // as the superuser
}

// Password returns the password in the URLs, so that tests can look for it where it must not be.
func (s *sqlServer) Password() string { return databasePassword }

// Exec runs SQL in the database as the superuser, and returns the output of the server's own
// client: without headings, columns separated by "|" with PostgreSQL and by tabs with MariaDB.
func (s *sqlServer) Exec(t testing.TB, database, sql string) string {
	t.Helper()
	out, err := s.admin(database, sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// answers reports whether the server accepts a connection. It tries once.
func (p *process) answers(ctx context.Context, talk func(conn net.Conn) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.Addr())
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	return talk(conn)
}

// sequence numbers the databases of a server.
type sequence struct{ last atomic.Int64 }

// nextName returns a name that no database of this server has had.
func (s *sequence) nextName() string { return "test" + strconv.FormatInt(s.last.Add(1), 10) }
