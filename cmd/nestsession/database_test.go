package main

import (
	"net/url"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nestsession/session/internal/servers"
)

// restartable is a server that a script stops and starts again.
type restartable interface {
	Kill()
	Restart()
}

// database gives the script a store on a server that all scripts share.
func database(ts *testscript.TestScript, _ bool, args []string) {
	t := of(ts).t
	for _, kind := range args {
		switch kind {
		case "redis":
			r := servers.SharedRedis(t)
			prefix := redisURL("redis", r.Password(), r.Addr()) + "/0?prefix="
			setURL(ts, "REDIS_URL", prefix+url.QueryEscape(t.Name())+":")
			setURL(ts, "OTHER_REDIS_URL", prefix+"other:"+url.QueryEscape(t.Name())+":")
			secret(ts, r.Password())
		case "postgres":
			p := servers.SharedPostgres(t)
			setURL(ts, "POSTGRES_URL", p.NewDatabase(t))
			secret(ts, p.Password())
		case "mysql":
			m := servers.SharedMariaDB(t)
			dsn := m.NewDatabase(t)
			setURL(ts, "MYSQL_URL", m.URL(dsn[strings.LastIndexByte(dsn, '/')+1:]))
			secret(ts, m.Password())
		default:
			ts.Fatalf("there is no database %q", kind)
		}
	}
}

// own gives the script a server of its own.
func own(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	const password = "a-password-of-the-tests"
	secret(ts, password)
	switch args[0] {
	case "redis":
		r := servers.StartRedis(s.t, servers.RedisOptions{Password: password, AppendOnly: "always"})
		s.own = r
		setURL(ts, "OWN_URL", redisURL("redis", password, r.Addr()))
	case "postgres":
		p := servers.StartPostgres(s.t, servers.PostgresOptions{})
		s.own = p
		setURL(ts, "OWN_URL", p.NewDatabase(s.t))
		secret(ts, p.Password())
	case "sentinel":
		q := servers.StartSentinel(s.t, servers.SentinelOptions{Password: password})
		s.own = q.Master
		setURL(ts, "OWN_URL", redisURL("redis+sentinel", password, q.Addrs()...)+"?master="+q.MasterName)
	case "cluster":
		c := servers.StartRedisCluster(s.t, servers.ClusterOptions{Password: password})
		setURL(ts, "OWN_URL", redisURL("redis+cluster", password, c.Addrs()...))
	default:
		ts.Fatalf("there is no server %q", args[0])
	}
}

func redisURL(scheme, password string, addresses ...string) string {
	return scheme + "://:" + url.QueryEscape(password) + "@" + strings.Join(addresses, ",")
}

// setURL sets a variable to the URL, and another one to the URL without its password and
// parameters.
func setURL(ts *testscript.TestScript, name, text string) {
	ts.Setenv(name, text)
	scheme, rest, _ := strings.Cut(text, "://")
	userinfo, rest, _ := strings.Cut(rest, "@")
	user, _, _ := strings.Cut(userinfo, ":")
	if user != "" {
		user += "@"
	}
	ts.Setenv(name+"_BARE", scheme+"://"+user+rest)
}

// secret puts the password into the variable PASSWORD and the file password, for scripts that check
// that it was not printed.
func secret(ts *testscript.TestScript, password string) {
	ts.Setenv("PASSWORD", password)
	writeFile(ts, "password", password+"\n")
}
