// Package pgxstore keeps sessions in PostgreSQL and reports every change at once, whichever
// program makes it: it is package sqlstore on a pool of pgx, and a [store.Watcher] by LISTEN
// and NOTIFY.
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
// psql.
//
//   - A row whose data or owner has changed, with its new version.
//   - A row whose expiry was moved to an earlier time.
//   - A row that was deleted, and a TRUNCATE.
//
// It does not report what no watcher needs, because a NOTIFY has a cost (see below):
//
//   - An expiry that only moved to a later time, by Touch or by an Update with the same
//     data. A cache then knows the older expiry, and loads the record again when that has
//     come.
//   - New rows, which no node can have read.
//   - Rows that are deleted after they have expired, as sweeps do. The trigger goes by the
//     database's clock, and allows the nodes' clocks a few seconds.
//
// # Who can read notifications
//
// PostgreSQL lets every role that may connect LISTEN and NOTIFY, whatever its rights on the
// table. So a notification names a session by a digest ([store.Event.Digest]). A node finds
// the digest among the ids that it has; nobody else can use it. A forged notification makes
// nodes load one session, or all of them, again. It ends no session, and a node ignores a
// heartbeat that it has not sent. Every role can see the version and the time of each
// change. To prevent that: REVOKE CONNECT ON DATABASE … FROM PUBLIC.
//
// # The connection
//
// While there are watchers, the Store has one connection in addition to the pool, which it
// opens like the pool does. On that connection it sends itself a NOTIFY every
// [Config.Heartbeat]. PostgreSQL delivers notifications in the order in which transactions
// were committed. So when the heartbeat arrives, all changes before it have been reported,
// and watchers get an event that says so ([store.Event.Whole]). Each heartbeat also checks
// that the trigger exists and was not changed meanwhile. If a connection does not answer
// for three heartbeats, and for at least a second, the Store closes it and opens a new one;
// watchers then get an event that makes them recheck everything.
//
// LISTEN needs a connection to the primary itself. New returns an error for a hot standby,
// and for a pooler such as PgBouncer, which may use another connection for each statement;
// see [Config.Direct].
//
// # What it costs
//
// Transactions that notify are committed one after the other in all databases of a server,
// because PostgreSQL keeps their notifications in order: there are about as many a second
// as the disk can sync. Reads, touches and new sessions do not notify.
//
// If another client of the server listens and stays in one transaction for days, the queue
// (8 GB) fills up, and transactions that notify then fail. This package's connection never
// stays in a transaction. pg_notification_queue_usage() shows how full the queue is.
package pgxstore
