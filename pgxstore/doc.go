// Package pgxstore keeps sessions in PostgreSQL and tells at once of every change, by
// whomever: it is package sqlstore on a pool of pgx, and a [store.Watcher] by LISTEN
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
// # What is told
//
// A trigger on the table tells, so that it does not matter who writes: another node,
// connect-pg-simple, somebody at psql.
//
//   - A row whose data or owner has changed, and its new version.
//   - A row whose expiry was moved nearer, or into the past.
//   - A row that was deleted, and a TRUNCATE.
//
// It is quiet about what no watcher waits for, since a NOTIFY has its price (see below):
//
//   - An expiry that was moved later and nothing else, by Touch or by an Update with the
//     same data. Who keeps a record past that may know the older expiry, and asks when
//     that has come.
//   - New rows. Nobody has read what was not there.
//   - Rows that are deleted when they are over, as sweeps do, by the database's clock and
//     with a few seconds' allowance for the nodes' clocks.
//
// # Who else hears it
//
// PostgreSQL lets every role that may connect LISTEN and NOTIFY, whatever its rights on
// the table. So what is told names a session by a digest ([store.Event.Digest]), which a
// node finds among the ids that it keeps, and which is of no use to others. A forged
// notification has nodes look at a session, or at all of them; it ends none, and no node
// believes a heartbeat that it has not sent. The version and the time of each change are
// there for all to see. To keep others out: REVOKE CONNECT ON DATABASE … FROM PUBLIC.
//
// # The connection
//
// As long as somebody watches, the Store has one connection more than the pool, which it
// opens as the pool does. On that it sends itself a NOTIFY every [Config.Heartbeat].
// PostgreSQL delivers notifications in the order in which transactions were committed,
// so that when it comes back, all changes before it have been told: watchers get an
// event that says so ([store.Event.Whole]). With each, it is made sure that the trigger
// is there and has been all the time. A connection that does not answer is given up after
// three heartbeats, but not before a second; a new one is tried for until there is one,
// and watchers are told to recheck everything.
//
// LISTEN needs a connection to the primary itself. A hot standby is refused, and so is a
// pooler such as PgBouncer, which hands connections on; see [Config.Direct].
//
// # What it costs
//
// Transactions that notify are committed one after the other in all databases of a
// server, because their notifications are put in order: about as many a second as the
// disk writes through. Reads, touches and new sessions are none of them.
//
// A session of the server that listens and stays in one transaction for days lets the
// queue fill up (8 GB), and then those that notify fail. This package's never does;
// pg_notification_queue_usage() tells of others.
package pgxstore
