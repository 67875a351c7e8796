//go:build unix

package servers

import (
	"bytes"
	"context"
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

// MariaDBOptions configure a MariaDB server. The zero value is a fast server, which keeps its data
// when it is killed, but not in a power cut.
type MariaDBOptions struct {
	// Extra are arguments of mariadbd ("--read-only=1"). They override the settings of this
	// package.
	Extra []string

	// Durable writes each commit to the disk before it is answered, which is MariaDB's own default.
	Durable bool
}

// MariaDB is a running MariaDB server. Its user has all rights in the databases that
// [MariaDB.NewDatabase] makes, and no others. The user has a password.
type MariaDB struct {
	sqlServer
	client string
}

// StartMariaDB starts a MariaDB server for the test.
func StartMariaDB(t testing.TB, o MariaDBOptions) *MariaDB {
	t.Helper()
	m, err := startMariaDB(t, o)
	if err != nil {
		t.Fatal(err)
	}
	m.attach()
	return m
}

func startMariaDB(t testing.TB, o MariaDBOptions) (*MariaDB, error) {
	folders := []string{"/usr/sbin", "/usr/bin", "/usr/libexec"}
	server, err := findProgram("mariadbd", "mariadb-server", folders...)
	if err != nil {
		return nil, err
	}
	install, err := findProgram("mariadb-install-db", "mariadb-server", folders...)
	if err != nil {
		return nil, err
	}
	client, err := findProgram("mariadb", "mariadb-client", folders...)
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("maria")
	if err != nil {
		return nil, err
	}
	m := &MariaDB{client: client}
	m.admin = m.run
	if err := m.initialize(install, dir); err != nil {
		return nil, err
	}
	m.process, err = startProcess(t, dir, plan{
		name: "mariadb",
		command: func(port int) (*exec.Cmd, error) {
			args := append([]string{"--no-defaults", "--port=" + strconv.Itoa(port)}, o.arguments(dir)...)
			cmd := exec.Command(server, append(args, o.Extra...)...)
			cmd.Dir = dir
			return asUser(cmd)
		},
		ready:   mariaAnswers,
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGKILL,
	})
	if err != nil {
		return nil, err
	}
	_, err = m.admin("mysql", "CREATE USER '"+databaseUser+"'@'127.0.0.1' IDENTIFIED BY '"+databasePassword+"'")
	if err != nil {
		m.end()
		return nil, err
	}
	return m, nil
}

// initialize makes the data folder.
func (m *MariaDB) initialize(install, dir string) error {
	if err := give(dir); err != nil {
		return fmt.Errorf("servers: mariadb: %w", err)
	}
	cmd, err := asUser(exec.Command(install, "--no-defaults", "--datadir="+filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M"))
	if err != nil {
		return err
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir) // the user may have no right to $TMPDIR
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("servers: mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

func (o MariaDBOptions) arguments(dir string) []string {
	all := []string{
		"--datadir=" + filepath.Join(dir, "data"),
		"--socket=" + filepath.Join(dir, "sock"),
		"--pid-file=" + filepath.Join(dir, "pid"),
		"--tmpdir=" + dir,
		"--bind-address=127.0.0.1",
		"--skip-name-resolve",
		"--max-connections=300",
		"--character-set-server=utf8mb4",
		"--innodb-log-file-size=16M",
		"--innodb-buffer-pool-size=64M",
		"--performance-schema=off",
	}
	if !o.Durable {
		all = append(all, "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0")
	}
	return all
}

// mariaAnswers reports whether the started server accepts connections: it has written the file with
// its process id, and sends a greeting of version 10 of the protocol
// (mariadb.com/kb/en/connection).
func mariaAnswers(ctx context.Context, p *process) bool {
	text, err := os.ReadFile(filepath.Join(p.dir, "pid"))
	if err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(p.PID()) {
		return false
	}
	return p.answers(ctx, func(conn net.Conn) bool {
		greeting := make([]byte, 5)
		_, err := io.ReadFull(conn, greeting)
		return err == nil && greeting[4] == 10
	})
}

// NewDatabase makes an empty database and returns its address in the form of go-sql-driver/mysql:
// "user:pass@tcp(127.0.0.1:port)/name". The database is dropped when the test ends.
func (m *MariaDB) NewDatabase(t testing.TB) (dsn string) {
	t.Helper()
	name := m.nextName()
	m.Exec(t, "mysql", "CREATE DATABASE "+name+"; GRANT ALL ON "+name+".* TO '"+databaseUser+"'@'127.0.0.1'")
	if m.t == nil {
		t.Cleanup(func() { m.Exec(t, "mysql", "DROP DATABASE "+name) })
	}
	return databaseUser + ":" + databasePassword + "@tcp(" + m.Addr() + ")/" + name
}

// URL returns the database's address as a URL: "mysql://user:pass@host:port/name".
func (m *MariaDB) URL(name string) string {
	u := url.URL{Scheme: "mysql", User: url.UserPassword(databaseUser, databasePassword), Host: m.Addr(), Path: name}
	return u.String()
}

func (m *MariaDB) run(database, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.client, "--no-defaults", "--socket="+filepath.Join(m.dir, "sock"), "--user=root",
		"--batch", "--skip-column-names", "--execute="+sql, database)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("servers: mariadb: %w\n%s", err, failed.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
