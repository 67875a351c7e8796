package live_test

import (
	"context"
	"testing"

	"github.com/nestsession/session/store/sqlstore"
)

// setup is one of Node's stores, and how both programs open it.
type setup struct {
	name string

	// place makes an empty database, and returns Node's settings for it and how Go opens the store.
	place func(*testing.T, setup) (nodeSettings, func(context.Context) opened)

	goFirst     bool   // Go makes the table; otherwise the npm package does
	ownerColumn string // that Go adds to the table
	timeZone    string // of Node's connections
	prefix      string // of the keys; "": the prefix of connect-redis
	rollback    bool   // SQLite keeps a rollback journal, which is its default

	untouchedWithoutMaxAge bool
}

const ownerColumn = "nest owner"

var setups = []setup{
	{name: "connect-redis", place: inRedis},
	{name: "connect-redis, Cluster", place: inRedisCluster, prefix: "{sess}."},
	{name: "connect-pg-simple", place: inPostgres},
	{name: "connect-pg-simple, watched", place: inPostgresWatched},
	{name: "connect-pg-simple, owner column", place: inPostgres, ownerColumn: ownerColumn},
	{name: "express-mysql-session", place: inMariaDB},
	{name: "connect-sqlite3", place: inSQLite("connect-sqlite3", sqlstore.ConnectSQLite3), untouchedWithoutMaxAge: true},
	{name: "better-sqlite3-session-store", place: inSQLite("better-sqlite3-session-store", sqlstore.BetterSQLite3SessionStore)},
}

// longSetups are those that differ from one of setups by a table, a prefix or a setting.
var longSetups = []setup{
	{name: "connect-redis, another prefix", place: inRedis, prefix: "shop one:*[s]:"},
	{name: "connect-redis, watched", place: inRedisWatched},
	{name: "connect-pg-simple, table by Go", place: inPostgres, goFirst: true},
	{name: "connect-pg-simple, Node in Seoul", place: inPostgres, timeZone: "Asia/Seoul"},
	{name: "express-mysql-session, owner column", place: inMariaDB, ownerColumn: ownerColumn},
	{name: "express-mysql-session, table by Go", place: inMariaDB, goFirst: true},
	{name: "connect-sqlite3, rollback journal", place: inSQLite("connect-sqlite3", sqlstore.ConnectSQLite3), untouchedWithoutMaxAge: true, rollback: true},
	{name: "connect-sqlite3, owner column", place: inSQLite("connect-sqlite3", sqlstore.ConnectSQLite3), untouchedWithoutMaxAge: true, ownerColumn: ownerColumn},
	{name: "connect-sqlite3, table by Go", place: inSQLite("connect-sqlite3", sqlstore.ConnectSQLite3), untouchedWithoutMaxAge: true, goFirst: true},
	{name: "better-sqlite3-session-store, rollback journal", place: inSQLite("better-sqlite3-session-store", sqlstore.BetterSQLite3SessionStore), rollback: true},
	{name: "better-sqlite3-session-store, owner column", place: inSQLite("better-sqlite3-session-store", sqlstore.BetterSQLite3SessionStore), ownerColumn: ownerColumn},
	{name: "better-sqlite3-session-store, table by Go", place: inSQLite("better-sqlite3-session-store", sqlstore.BetterSQLite3SessionStore), goFirst: true},
}
