//go:build unix

package servers

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PostgresOptions configure a PostgreSQL server. The zero value is a fast server, which keeps its
// data when it is killed, but not in a power cut.
type PostgresOptions struct {
	// Extra are settings of postgresql.conf ("default_transaction_read_only=on"). They override the
	// settings of this package.
	Extra []string

	// Durable writes each commit to the disk before it is answered, which is PostgreSQL's own
	// default; otherwise fsync is off.
	Durable bool
}

// Postgres is a running PostgreSQL server. Its user owns the databases that [Postgres.NewDatabase]
// makes, and has no other rights. The user has a password.
type Postgres struct {
	sqlServer
	bin string
}

// StartPostgres starts a PostgreSQL server for the test.
func StartPostgres(t testing.TB, o PostgresOptions) *Postgres {
	t.Helper()
	p, err := startPostgres(t, o)
	if err != nil {
		t.Fatal(err)
	}
	p.attach()
	return p
}

func startPostgres(t testing.TB, o PostgresOptions) (*Postgres, error) {
	initdb, err := findProgram("initdb", "postgresql", "/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
	if err != nil {
		return nil, err
	}
	// The other programs are in the folder of the program itself, not in that of a link to it.
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		return nil, fmt.Errorf("servers: postgres: %w", err)
	}
	dir, err := newFolder("pg")
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: filepath.Dir(initdb)}
	p.admin = p.run
	if err := p.initialize(initdb, dir); err != nil {
		return nil, err
	}
	p.process, err = startProcess(t, dir, plan{
		name: "postgres",
		command: func(port int) (*exec.Cmd, error) {
			args := []string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port)}
			for _, setting := range append(o.settings(dir), o.Extra...) {
				args = append(args, "-c", setting)
			}
			cmd := exec.Command(filepath.Join(p.bin, "postgres"), args...)
			cmd.Dir = dir
			return asUser(cmd)
		},
		ready:   postgresAnswers,
		orderly: syscall.SIGINT,  // "fast": disconnects clients, and writes everything
		quick:   syscall.SIGQUIT, // "immediate"; unlike SIGKILL it frees shared memory
	})
	if err != nil {
		return nil, err
	}
	_, err = p.admin("postgres", "CREATE ROLE "+databaseUser+" LOGIN PASSWORD '"+databasePassword+"'")
	if err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// initialize makes the data folder.
func (p *Postgres) initialize(initdb, dir string) error {
	if err := give(dir); err != nil {
		return fmt.Errorf("servers: postgres: %w", err)
	}
	cmd, err := asUser(exec.Command(initdb, "-D", filepath.Join(dir, "data"), "-U", "postgres", "--no-sync",
		"--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C"))
	if err != nil {
		return err
	}
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("servers: initdb: %w\n%s", err, out)
	}
	return nil
}

func (o PostgresOptions) settings(dir string) []string {
	all := []string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=" + dir,
		"max_connections=300",
		"shared_buffers=64MB",
		"dynamic_shared_memory_type=mmap", // in the data folder, so that a kill leaves nothing elsewhere
		"logging_collector=off",
		"log_statement=none",
	}
	if !o.Durable {
		all = append(all, "fsync=off", "full_page_writes=off")
	}
	return all
}

// postgresAnswers reports whether the started server accepts connections: the file with its process
// id says that it is ready, and it accepts a handshake.
func postgresAnswers(ctx context.Context, p *process) bool {
	text, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 8 || lines[0] != strconv.Itoa(p.PID()) || strings.TrimSpace(lines[7]) != "ready" {
		return false
	}
	return p.answers(ctx, asksForUser)
}

// asksForUser reports whether the server answers the first message of a client with a request to
// authenticate, and not with an error
// (www.postgresql.org/docs/current/protocol-message-formats.html).
func asksForUser(conn net.Conn) bool {
	body := "\x00\x03\x00\x00user\x00" + databaseUser + "\x00database\x00postgres\x00\x00"
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(4+len(body))), body...)); err != nil {
		return false
	}
	answer := make([]byte, 1)
	_, err := io.ReadFull(conn, answer)
	return err == nil && answer[0] == 'R'
}

// NewDatabase makes an empty database and returns its URL, with the owner's password. The database
// is dropped when the test ends.
func (p *Postgres) NewDatabase(t testing.TB) (dsn string) {
	t.Helper()
	name := p.nextName()
	p.Exec(t, "postgres", "CREATE DATABASE "+name+" OWNER "+databaseUser)
	if p.t == nil {
		t.Cleanup(func() { p.Exec(t, "postgres", "DROP DATABASE "+name+" WITH (FORCE)") })
	}
	return p.URL(name)
}

// URL returns the database's address, with its owner's password:
// "postgres://user:pass@host:port/name".
func (p *Postgres) URL(name string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(databaseUser, databasePassword), Host: p.Addr(), Path: name, RawQuery: "sslmode=disable"}
	return u.String()
}

func (p *Postgres) run(database, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", p.dir, "-p", p.Port(), "-U", "postgres", "-d", database, "-c", sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("servers: psql: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
