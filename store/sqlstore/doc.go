// Package sqlstore keeps sessions in a table of SQLite, PostgreSQL, MySQL or MariaDB,
// over database/sql with the driver that the application brings.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	if err != nil {
//		return err
//	}
//	kept, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.Postgres, Create: true})
//	if err != nil {
//		return err
//	}
//	defer kept.Close()
//
// Sessions survive a restart of the application, and of the database as far as that
// writes through to its disk. Any number of nodes may work on one table.
//
// # Tables
//
// The native table has the columns id, owner, expires (milliseconds since 1970, and
// 9223372036854775807 for never) and data, and with PostgreSQL due, by which sweeps find
// what has expired. [Statements] prints what makes it, and [Config.Create] runs it, on an
// older table what has been added since.
//
// With another [Layout] the store works on the table of an npm package as it stands:
// its columns, its format and rounding of times, its life for a session without an
// expiry. Node and Go may write to it at once.
//
// # Versions
//
// A version comes from what is stored, so that an Update sees any program's write: in
// PostgreSQL it is the row's xmin, in MySQL and SQLite a digest of data and owner. So
// an Update with MySQL or SQLite also succeeds if the content was changed and changed
// back since, and in PostgreSQL a Touch, which moves xmin as well, is a conflict for an
// Update under way; package session resolves that.
//
// # Contexts
//
// Each call returns when its context ends. Whether a write that ended so has been
// carried out is not known, and MySQL may still do so some time later, since a server
// that waits for a lock does not notice that nobody waits for it. The versions make sure
// that such an Update overwrites nothing.
//
// # Calls at the same time
//
// Loads that come while others are on their way go together, in one statement, with
// PostgreSQL and SQLite; with PostgreSQL deletions do, too, and with its native table
// updates. Each is answered as it would be alone, and none waits for another's locked row.
//
// # Ids
//
// Ids are compared byte for byte, whatever the collation of the column. A column of
// another program that takes two ids for one, by ignoring case or spaces at the end,
// keeps one of the two, and Create of the other is an error; such ids are not made by
// the generators of either side. The native table keeps any bytes up to [MaxID].
//
// # Owners
//
// The native table has a column for the owner, with an index. In a table of another
// program it is found in one of these ways:
//
//   - [Config.OwnerOf] alone: nothing is added to the table, and listing by owner reads
//     all sessions.
//   - [Config.OwnerColumn]: a column, NULL for what the other program has inserted, in
//     which case OwnerOf decides, if it is set. Node's statements for PostgreSQL and
//     MySQL leave it alone. Those of connect-sqlite3 and better-sqlite3-session-store
//     insert rows without naming columns and would fail on one more, so there it is a
//     generated column, which the database works out from the document of either side
//     (where package session writes the owner), and which such an insert does not see.
//
// # Time zones
//
// Expiries are instants, sent as numbers or in UTC, and no setting of a connection moves
// one. The exception is the column of connect-pg-simple, a timestamp without a time zone,
// which PostgreSQL reads in the zone of the connection that asks. The store names the
// zone in each statement: [Config.TimeZone], or the one that the database gives
// connections that ask for none, as Node's do. If the connection string hides that one,
// New refuses to guess. In the hour that comes twice when summer time ends, such a
// column cannot tell the two apart; PostgreSQL takes the later. A database in UTC, or
// a column of type timestamptz, has no such hour.
//
// # SQLite
//
// A locked file is waited for within the call's context, also by several processes, and
// without any setting; writers of one Store stand in line. Set journal_mode to WAL, so
// that readers and the writer do not wait for each other. A database in memory needs
// DB.SetMaxOpenConns(1).
//
// # Rights
//
// The store needs SELECT, INSERT, UPDATE and DELETE on the table; [Config.Create] needs
// to create it only if something is missing. New tries them out, and whatever else of the
// table could keep a session from being written, in a transaction that it rolls back.
//
// # Errors
//
// No error of this package holds an id, a row or a part of one, also where the database's
// own does, in its details, for example. It has the same code: [errors.As] finds the
// driver's error type, without those fields.
package sqlstore
