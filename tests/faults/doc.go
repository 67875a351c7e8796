// Package faults holds the tests of what goes wrong around a session store, on real
// servers and through the whole of a manager: servers that are killed, hang, refuse to
// write, are replaced, run out of disk or memory; connections that are cut, slow or
// silently dead; passwords and tables that are wrong. It has no code to import.
//
// In all of them the same is held: a save that was answered with 200 is there
// afterwards; one that failed was done or not, once, and as a whole; a session that has
// ended stays so, for who kept its cookie too; nobody gets another's session; requests
// end at their deadline with the error response; and when the fault is over everything
// goes on in the same process, with no goroutine left behind.
//
// # What the stores promise
//
// PostgreSQL (synchronous_commit on, as it comes), MariaDB (innodb_flush_log_at_trx_commit
// 1, as it comes) and SQLite (WAL with synchronous FULL) have every acknowledged save
// after a crash. A standby of PostgreSQL or MariaDB has it if replication is synchronous.
//
// Redis promises what its settings say, measured here by killing it in the middle of
// some 1000 saves, five times each:
//
//   - appendfsync always: everything acknowledged, after a kill and after a power cut.
//   - appendfsync everysec, and no: a kill of the process lost nothing, since Redis hands
//     commands to the operating system before it answers them (everysec: at most two seconds
//     later where the disk is too slow to follow). A power cut loses what was not yet on the disk:
//     the last second or two with everysec, what the system has not flushed (some 30
//     seconds on Linux) with no.
//   - snapshots (save, no append-only file): everything is as it was at the last
//     snapshot. Saves and logins since then are gone, and sessions that were logged out
//     since then are back. No store above it can prevent that: where a logout must hold,
//     use an append-only file.
//   - nothing: everybody is logged out.
//
// Replication of Redis is asynchronous, with Sentinel as in a Cluster: the last writes
// before a failover may be lost, and a logout among them undone. Of four masters killed in
// the middle of saves none lost any, on one machine without load on the network; the
// tests let the replica catch up first. With min-replicas-to-write 1 and a small
// min-replicas-max-lag a master that was cut off stops taking writes which would be lost.
package faults
