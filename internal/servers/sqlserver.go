//go:build unix

package servers

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// The user of the databases, for PostgreSQL and MariaDB, and a password that is odd
// enough to be found where it should not be.
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

// Password is the one in the URLs, to look for where it should not be.
func (s *sqlServer) Password() string { return databasePassword }

// Exec runs SQL in the database as the superuser, and returns what the server's own client
// printed: no headings, columns set apart by "|" with PostgreSQL and by tabs with MariaDB.
func (s *sqlServer) Exec(t testing.TB, database, sql string) string {
	t.Helper()
	out, err := s.admin(database, sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// answers reports whether the server takes connections, by one attempt at most.
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

// sequence names the databases of a server.
type sequence struct{ last atomic.Int64 }

// nextName is a name that this server has not seen.
func (s *sequence) nextName() string { return "test" + strconv.FormatInt(s.last.Add(1), 10) }
