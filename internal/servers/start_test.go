package servers_test

import (
	"testing"

	"github.com/nestsession/session/internal/servers"
)

func TestRedis(t *testing.T) {
	t.Parallel()
	r := servers.StartRedis(t, servers.RedisOptions{Password: "x", AppendOnly: "always"})
	t.Log(r.Do(t.Context(), "SET", "a", "1"))
	r.Kill()
	r.Restart()
	t.Log(r.Do(t.Context(), "GET", "a"))
	r.Freeze()
	r.Thaw()
	t.Log(r.Do(t.Context(), "GET", "a"))
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgres(t, servers.PostgresOptions{})
	t.Log(p.NewDatabase(t), p.Exec(t, "test1", "create table x as select 1 as y"))
	p.Kill()
	p.Restart()
	t.Log(p.Exec(t, "test1", "select y from x"))
	p.Freeze()
	p.Thaw()
	t.Log(p.Exec(t, "test1", "select y from x"))
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	p := servers.StartMariaDB(t, servers.MariaDBOptions{Durable: true})
	t.Log(p.NewDatabase(t), p.Exec(t, "test1", "create table x as select 1 as y"))
	p.Kill()
	p.Restart()
	t.Log(p.Exec(t, "test1", "select y from x"))
	p.Freeze()
	p.Thaw()
	t.Log(p.Exec(t, "test1", "select y from x"))
	servers.SharedMariaDB(t).NewDatabase(t)
	servers.SharedPostgres(t).NewDatabase(t)
	servers.SharedRedis(t)
}
