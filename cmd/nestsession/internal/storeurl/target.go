// Package storeurl reads the URL that says where sessions are.
//
//	memory:                                               memory:?snapshot=PATH
//	sqlite:PATH
//	postgres://USER:PASSWORD@HOST:PORT/DATABASE
//	mysql://USER:PASSWORD@HOST:PORT/DATABASE
//	redis://USER:PASSWORD@HOST:PORT/NUMBER                rediss:// with TLS
//	redis+sentinel://SENTINEL,SENTINEL/NUMBER?master=NAME rediss+sentinel://
//	redis+cluster://NODE,NODE                             rediss+cluster://
//	nats://USER:PASSWORD@SERVER,SERVER                    tls:// with TLS
//
// A URL may hold a password: nothing of this package prints one, in an error or
// otherwise.
package storeurl

import (
	"cmp"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is the kind of a store.
type Kind string

// The kinds of stores.
const (
	Memory   Kind = "memory"
	SQLite   Kind = "SQLite"
	Postgres Kind = "PostgreSQL"
	MySQL    Kind = "MySQL"
	Redis    Kind = "Redis"
	NATS     Kind = "NATS"
)

// Layout is the layout of sessions in the store: the library's own, or that of an npm package for
// express-session.
type Layout string

// The layouts.
const (
	Native        Layout = "native"
	PgSimple      Layout = "connect-pg-simple"
	ExpressMySQL  Layout = "express-mysql-session"
	ConnectSQLite Layout = "connect-sqlite3"
	BetterSQLite  Layout = "better-sqlite3-session-store"
	ConnectRedis  Layout = "connect-redis"
)

// layouts are the layouts of each kind; the second is the one for the express preset.
var layouts = map[Kind][]Layout{
	SQLite:   {Native, ConnectSQLite, BetterSQLite},
	Postgres: {Native, PgSimple},
	MySQL:    {Native, ExpressMySQL},
	Redis:    {Native, ConnectRedis},
	NATS:     {Native},
}

// Target is a parsed URL.
type Target struct {
	Kind   Kind
	Layout Layout

	Path string // SQLite: the file; memory: the snapshot, or ""

	Hosts    []string // with their ports; several for Sentinel, Cluster and NATS
	User     string
	Database string // the name of a database, or the number of Redis's
	TLS      bool   // Redis and NATS
	Cluster  bool   // Redis; and NATS for the servers inside of login servers, see OfNodes
	Master   string // Redis with Sentinel: the master's name; otherwise ""

	// SentinelAuth says that the sentinels have the same user and password as the master.
	SentinelAuth bool

	Table, Schema, Prefix, OwnerColumn, TimeZone string

	// Columns are the names of the columns that are not the layout's.
	Columns Columns

	// TTL is how long a session without an expiry lives in the layout of an npm package; 0: not
	// given.
	TTL time.Duration

	Bucket   string // NATS; "": the default
	Replicas int    // NATS; 0: the default

	// Create says whether the table is made if it does not exist; nil: not given.
	Create *bool

	// Notify says whether PostgreSQL or Redis publishes changes.
	Notify bool

	// Driver holds the parameters for the database's driver.
	Driver url.Values

	password string
}

// Columns are names of a table's columns; "" is the layout's name.
type Columns struct{ ID, Data, Expires string }

// OfNodes returns the target of the NATS servers inside of login servers, which have these addresses
// for each other. Each of them keeps everything, so that any majority has it.
func OfNodes(addresses []string) *Target {
	return &Target{Kind: NATS, Layout: Native, Hosts: addresses, Cluster: true, Replicas: len(addresses)}
}

// PlainIDs reports whether the keys in the store are the ids in the cookies, as in
// express-session's stores, and not their hashes.
func (t *Target) PlainIDs() bool { return t.Layout != Native }

// Password returns the password of the URL, or of WithPassword; "": none.
func (t *Target) Password() string { return t.password }

// WithPassword returns a copy with this password instead of the URL's.
func (t *Target) WithPassword(password string) *Target {
	c := *t
	c.password = password
	return &c
}

// String describes the store, without the password. Its receiver is a value, so that printing a
// Target in any way shows no password.
func (t Target) String() string {
	var b strings.Builder
	switch t.Kind {
	case Memory:
		if t.Path != "" {
			return "memory, snapshot " + t.Path
		}
		return "memory"
	case SQLite:
		b.WriteString("SQLite, " + t.Path)
	case Redis:
		b.WriteString("Redis")
		switch {
		case t.Cluster:
			b.WriteString(" Cluster")
		case t.Master != "":
			b.WriteString(", master " + t.Master + " of the sentinels")
		}
		b.WriteString(" at " + strings.Join(t.Hosts, ", "))
		if t.Database != "" {
			b.WriteString(", database " + t.Database)
		}
		if t.TLS {
			b.WriteString(", with TLS")
		}
		switch t.Prefix {
		case "":
		case NoPrefix:
			b.WriteString(", without a prefix")
		default:
			b.WriteString(", prefix " + strconv.Quote(t.Prefix))
		}
	case NATS:
		if t.Cluster {
			return "the cluster of " + strings.Join(t.Hosts, ", ")
		}
		b.WriteString("NATS at " + strings.Join(t.Hosts, ", "))
		if t.TLS {
			b.WriteString(", with TLS")
		}
		if t.Bucket != "" {
			b.WriteString(", bucket " + t.Bucket)
		}
	default:
		b.WriteString(string(t.Kind) + " at " + t.Hosts[0] + ", database " + t.Database)
	}
	if t.Table != "" {
		b.WriteString(", table ")
		if t.Schema != "" {
			b.WriteString(t.Schema + ".")
		}
		b.WriteString(t.Table)
	}
	if t.Layout != Native {
		b.WriteString(", as " + string(t.Layout) + " has it")
	}
	return b.String()
}

// NoPrefix as Target.Prefix is the value for `prefix=`: the keys have no prefix.
const NoPrefix = "\x00"

// Place identifies the place of the sessions, the same for each spelling of a URL that Same knows.
func (t *Target) Place() string {
	hosts := make([]string, len(t.Hosts))
	for i, host := range t.Hosts {
		hosts[i] = realHost(host)
	}
	slices.Sort(hosts)
	path := t.Path
	if path != "" {
		path = realPath(path)
	}
	return strings.Join([]string{string(t.Kind), string(t.Layout), path, strings.Join(hosts, ","), t.Master, t.Database, t.Schema, t.Table, t.Prefix, t.Bucket}, "\x00")
}

// Same reports whether both lead to the same place, as far as the URLs show.
func (t *Target) Same(other *Target) bool {
	if t.Kind != other.Kind || t.Kind == Memory || t.Database != other.Database || t.Layout != other.Layout ||
		t.Table != other.Table || t.Schema != other.Schema || t.Prefix != other.Prefix || t.Bucket != other.Bucket {
		return false
	}
	if t.Kind == SQLite {
		return realPath(t.Path) == realPath(other.Path)
	}
	return slices.ContainsFunc(t.Hosts, func(host string) bool {
		return slices.ContainsFunc(other.Hosts, func(o string) bool { return realHost(host) == realHost(o) })
	})
}

// realPath resolves links: those of the folder if the file does not exist yet.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(folder, filepath.Base(path))
}

// realHost does the same for the names of the loopback.
func realHost(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport
	}
	if ip := net.ParseIP(host); strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback() {
		host = "loopback"
	}
	return net.JoinHostPort(strings.ToLower(host), port)
}

// tables are the default names of the table in each layout.
var tables = map[Layout]string{
	Native: "nest_sessions", PgSimple: "session", ExpressMySQL: "sessions", ConnectSQLite: "sessions", BetterSQLite: "sessions",
}

// QuotedTable returns the table's name as SQL has it.
func (t *Target) QuotedTable() string {
	mark := `"`
	if t.Kind == MySQL {
		mark = "`"
	}
	quote := func(name string) string { return mark + strings.ReplaceAll(name, mark, mark+mark) + mark }
	table := quote(cmp.Or(t.Table, tables[t.Layout]))
	if t.Schema != "" {
		table = quote(t.Schema) + "." + table
	}
	return table
}
