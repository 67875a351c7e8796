// Package faults tests managers on real servers while something fails: servers that are
// killed, hang, refuse writes, are replaced, or run out of disk or memory; connections
// that are cut, slow or silently dead; wrong passwords and tables. It has no code to
// import.
//
// All tests check the same: a save that was answered with 200 is there afterwards; a save
// that failed was made once and as a whole, or not at all; a session that has ended stays
// ended, even for a browser that kept its cookie; no user gets the session of another;
// requests end at their deadline with the error response; and when the fault is over
// everything works again in the same process, and no goroutine is left.
//
// # What the stores promise
//
// PostgreSQL (synchronous_commit on, its default), MariaDB (innodb_flush_log_at_trx_commit
// 1, its default) and SQLite (WAL with synchronous FULL) have every acknowledged save
// after a crash. A standby of PostgreSQL or MariaDB has it if replication is synchronous.
//
// Redis promises what its settings say, measured here by killing it in the middle of
// some 1000 saves, five times each:
//
//   - appendfsync always: everything acknowledged, after a kill and after a power cut.
//   - appendfsync everysec, and no: a kill of the process lost nothing, since Redis passes
//     commands to the operating system before it answers them (everysec: at most two seconds
//     later where the disk is too slow to follow). A power cut loses what was not yet on the disk:
//     the last second or two with everysec, what the system has not flushed (some 30
//     seconds on Linux) with no.
//   - snapshots (save, no append-only file): everything is as it was at the last
//     snapshot. Later saves and logins are lost, and sessions that were logged out later are
//     back. No store can prevent that: if a logout must hold, use an append-only file.
//   - nothing: everybody is logged out.
//
// Replication of Redis is asynchronous, with Sentinel as in a Cluster: the last writes
// before a failover may be lost, including a logout. Of four masters killed in
// the middle of saves none lost any, on one machine without load on the network; the
// tests let the replica catch up first. With min-replicas-to-write 1 and a small
// min-replicas-max-lag a master that was cut off accepts no writes that would be lost.
package faults
