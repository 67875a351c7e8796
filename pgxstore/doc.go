// Package pgxstore keeps sessions in PostgreSQL and reports every change within some 20 ms,
// whichever program makes it: it is package sqlstore on a pool of pgx, and a [store.Watcher].
//
//	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
//	if err != nil {
//		return err
//	}
//	kept, err := pgxstore.New(ctx, pool, pgxstore.Config{Create: true})
//	if err != nil {
//		return err
//	}
//	defer kept.Close()
//	near, err := nearcache.New(kept, nearcache.Config{})
//
// Tables, versions, owners and time zones are those of package sqlstore.
//
// # Which changes are reported
//
// A trigger on the table reports changes by any program: another node, connect-pg-simple,
// psql. It writes them into a second table, by the same transaction.
//
//   - A row whose data or owner has changed, with its new version.
//   - A row whose expiry was moved to an earlier time.
//   - A row that was deleted, and a TRUNCATE.
//
// It does not report what no watcher needs, because a report has a cost (see below):
//
//   - An expiry that only moved to a later time, by Touch or by an Update with the same
//     data. A cache then knows the older expiry, and loads the record again when that has
//     come.
//   - New rows, which no node can have read.
//   - Rows that are deleted after they have expired, as sweeps do. The trigger goes by the
//     database's clock, and allows the nodes' clocks a few seconds.
//
// # The table of changes
//
// Its name is the table's with _nest_changes, in the same schema. A change stays there for a
// minute; then later changes remove it. The table is unlogged: a crash empties it, and also
// ends the connections that read it, so that the nodes recheck everything.
//
// Only the trigger writes it, with the rights of the role that has made the trigger. Every
// role may read it, so a change names a session by a digest ([store.Event.Digest]). A node
// finds the digest among the ids that it has; nobody else can use it.
//
// # The connection
//
// While there are watchers, the Store has one connection in addition to the pool, which it
// opens like the pool does. On that connection it reads the changes every 20 ms: those of
// the transactions that have been committed since the last time. So an answer proves that
// all changes that were visible when it was asked for have been reported. Every
// [Config.Heartbeat] the Store checks that the trigger exists and was not changed meanwhile,
// and watchers get an event that says until when nothing was missed ([store.Event.Whole]).
// If a connection does not answer for three heartbeats, and for at least a second, the Store
// closes it and opens a new one; watchers then get an event that makes them recheck
// everything. They also get one if the Store was late, by half of the time for which changes
// are kept, and at the end of a transaction that has run for that long.
//
// The connection has to go to the primary itself. New returns an error for a hot standby,
// and for a pooler such as PgBouncer; see [Config.Direct].
//
// # What it costs
//
// A change is one more row to write and one to remove, without the log. Reads, touches and
// new sessions write no change. A node that watches sends 50 small queries a second.
//
// The table, the table of changes and the function belong into one schema: a table that was
// moved to another schema takes no changes until New with [Config.Create], or the statements
// of [Statements], have made the others there.
package pgxstore
