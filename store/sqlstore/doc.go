// Package sqlstore keeps sessions in a table of SQLite, PostgreSQL, MySQL or MariaDB, over
// database/sql with a driver that the application imports.
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
// Sessions survive a restart of the application, and of the database if it syncs its writes
// to disk. Any number of nodes may use one table.
//
// # Tables
//
// The native table has the columns id, owner, expires (milliseconds since 1970, and
// 9223372036854775807 for never) and data, and with PostgreSQL due, by which sweeps find
// expired sessions. [Statements] returns the statements that make it. [Config.Create] runs
// them, and adds to an older table what has been added to the layout since.
//
// With another [Layout] the store uses the table of an npm package: its columns, its format
// and rounding of times, its lifetime for a session without an expiry. Node and Go may write
// to it at the same time.
//
// # Versions
//
// A version is derived from what is stored, so that an Update detects a write by any
// program: in PostgreSQL it is the row's xmin, in MySQL and SQLite a digest of data and
// owner. So an Update with MySQL or SQLite also succeeds if the content was changed and
// changed back meanwhile. In PostgreSQL a Touch changes xmin, too, and is a conflict for an
// Update at the same time; package session resolves that.
//
// # Contexts
//
// Each call returns when its context ends. It is then not known whether a write has taken
// effect. With MySQL it may take effect some time later, because a server that waits for a
// lock does not notice that the client is gone. The versions make sure that such an Update
// overwrites nothing.
//
// # Calls at the same time
//
// Calls at the same time are batched: several Loads become one statement with PostgreSQL and
// SQLite, several Deletes with PostgreSQL, and several Updates with PostgreSQL's native
// table. Each call gets the result that it would get unbatched, and none waits for the
// locked row of another.
//
// # Ids
//
// Ids are compared byte for byte, whatever the collation of the column. A column of
// another program may take two ids for the same, by ignoring case or spaces at the end. It
// keeps one of the two, and Create of the other is an error; neither program generates such
// ids. The native table keeps any bytes up to [MaxID].
//
// # Owners
//
// The native table has a column for the owner, with an index. In a table of another
// program the owner is found in one of these ways:
//
//   - Only [Config.OwnerOf]: the table needs no column for the owner, and listing by owner
//     reads all sessions.
//   - [Config.OwnerColumn]: a column, which is NULL in rows that the other program has
//     inserted; for those OwnerOf finds the owner, if it is set. Node's statements for
//     PostgreSQL and MySQL do not change the column. Those of connect-sqlite3 and
//     better-sqlite3-session-store insert rows without naming columns and would fail on an
//     additional column. So there it is a generated column: such an insert does not see it,
//     and the database computes it from the document, in which package session writes the
//     owner.
//
// # Time zones
//
// Expiries are instants, sent as numbers or in UTC, and no setting of a connection changes
// them. The exception is the column of connect-pg-simple, a timestamp without a time zone,
// which PostgreSQL reads in the zone of the connection. So the store names the zone in each
// statement: [Config.TimeZone], or the zone that the database gives connections that do not
// set one, as Node's do not. If the connection string sets another, New returns an error,
// because it cannot find out the database's own. When summer time ends, an hour comes twice:
// such a column cannot distinguish the two, and PostgreSQL takes the later. A database in
// UTC, or a column of type timestamptz, has no such hour.
//
// # SQLite
//
// Calls wait for a locked file until their contexts end, also if another process has locked
// it, without any setting. Writers of one Store wait for each other. Set journal_mode to
// WAL, so that readers and the writer do not wait for each other. A database in memory needs
// DB.SetMaxOpenConns(1).
//
// # Rights
//
// The store needs SELECT, INSERT, UPDATE and DELETE on the table; [Config.Create] needs the
// right to create only if something is missing. New tries out the rights, and whether
// anything else prevents sessions from being written, in a transaction that it rolls back.
//
// # Errors
//
// No error of this package holds an id, a row or a part of one, even if the database's own
// error does. The error has the database's code: [errors.As] finds the driver's error type,
// with the fields removed that hold such values.
package sqlstore
