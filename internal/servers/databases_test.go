//go:build unix

package servers

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// TestPostgresUser: the user of the URL owns its database, needs the password, and is no superuser,
// so that tests run with the rights that an application has.
func TestPostgresUser(t *testing.T) {
	t.Parallel()
	p := StartPostgres(t, PostgresOptions{Durable: true, Extra: []string{"work_mem=1MB"}})
	dsn := p.NewDatabase(t)
	if !strings.HasPrefix(dsn, "postgres://nest:"+p.Password()+"@127.0.0.1:"+p.Port()+"/") || !strings.HasSuffix(dsn, "?sslmode=disable") {
		t.Errorf("%s", dsn)
	}
	query := func(dsn, sql string) (string, error) {
		out, err := exec.CommandContext(context.Background(), p.bin+"/psql", "-X", "-A", "-t", "-w", "-d", dsn, "-c", sql).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := query(dsn, "CREATE TABLE mine (a int); SELECT current_setting('is_superuser')"); err != nil || !strings.HasSuffix(out, "off") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := query(strings.Replace(dsn, p.Password(), "wrong", 1), "SELECT 1"); err == nil || !strings.Contains(out, "password authentication failed") {
		t.Errorf("with a wrong password: %v: %s", err, out)
	}
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "work_mem": "1MB"} {
		if got := p.Exec(t, "postgres", "SHOW "+setting); got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
}

// TestMariaDBUser: the same for MariaDB.
func TestMariaDBUser(t *testing.T) {
	t.Parallel()
	m := StartMariaDB(t, MariaDBOptions{Durable: true, Extra: []string{"--wait-timeout=77"}})
	dsn := m.NewDatabase(t)
	name := dsn[strings.LastIndex(dsn, "/")+1:]
	if dsn != "nest:"+m.Password()+"@tcp("+m.Addr()+")/"+name || m.URL(name) != "mysql://nest:"+m.Password()+"@"+m.Addr()+"/"+name {
		t.Errorf("%s, %s", dsn, m.URL(name))
	}
	query := func(password, sql string) (string, error) {
		out, err := exec.CommandContext(context.Background(), m.client, "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port="+m.Port(),
			"--user=nest", "--password="+password, "--batch", "--skip-column-names", "--execute="+sql, name).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := query(m.Password(), "CREATE TABLE mine (a int)"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := query(m.Password(), "CREATE DATABASE other"); err == nil || !strings.Contains(out, "denied") {
		t.Errorf("the user may make databases: %v: %s", err, out)
	}
	if out, err := query("wrong", "SELECT 1"); err == nil || !strings.Contains(out, "denied") {
		t.Errorf("with a wrong password: %v: %s", err, out)
	}
	for setting, want := range map[string]string{"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "1", "wait_timeout": "77"} {
		if got := m.Exec(t, "mysql", "SELECT @@global."+setting); got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
}
