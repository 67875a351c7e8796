// Package redisstore keeps sessions in Redis 6.2 or later, or Valkey: a single
// server, one watched by Sentinel, or a Cluster, as the rueidis client that it is
// given has it.
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
//	…
//	s, err := redisstore.New(ctx, redisstore.Config{Client: client})
//	…
//	defer s.Close()
//
// [Open] makes the client itself, and a store that can be watched.
//
// # Layouts
//
// The zero layout is the store's own: a key a session, whose value is a header of
// version, expiry and owner in front of the document. With [Config.Express] the
// keys are those of connect-redis 9, so that express-session applications and
// this one share their sessions: the value is the JSON text alone, the lifetime
// is the key's, in seconds rounded up.
//
// # What it promises
//
// A read is one round trip, and so is a save without conflict, with one exception:
// in a Cluster a save that gives a session an owner has to reach the owner's
// index first, unless [Config.Prefix] has a hash tag. That is each first save of an owner, and with [Config.Express]
// each save of an owned session.
//
// What comes while other calls are on their way to a single server goes with the next
// ones: reads as one MGET, updates as one run of a script.
//
// Compare-and-swap is a script on the server. A write whose answer was lost is an
// error, not sent again: whether it was done is for the next load to see. Reads go
// to the primary, whatever the client does with other reads. What met a connection
// that has just ended is sent again, reads and what cannot have arrived; where the
// server refuses connections that takes some 20 milliseconds, and then it is an error.
//
// What an acknowledged write survives is up to the server: with appendfsync
// always a crash, with everysec all but the last second, without persistence
// nothing. Replication is asynchronous: a failover may lose the last writes. With
// maxmemory-policy noeviction a full server refuses writes, [store.ErrFull], unless
// a session becomes smaller; with volatile-ttl it ends the sessions that would end
// next. The allkeys-* policies are not for sessions: they throw live ones away, and
// the indexes that find them by owner.
//
// # Owners
//
// The sessions of an owner are found by an index, a sorted set an owner. It may
// name a session that is gone, never miss one that lives: an entry is written
// before its session (on a single server with it), and goes with it where a script
// sees both, else only when it is due, more than an hour past, and the session is
// seen to be gone. It is trimmed as sessions are added, listed, and by
// [Store.TrimOwners] for owners who never come back. The one thing that it cannot
// know is a session that a Node application wrote back more than an hour after its
// end.
//
// That an index was lost, deleted or evicted, is noticed by a count kept beside it.
// Then the sessions are looked for among all, and the indexes are written again.
//
// # Watching
//
// A store that was made by [Open] hears of each change of a session from the server
// (CLIENT TRACKING in broadcasting mode), whoever makes it: another node, a Node
// application, an operator, the server itself as a session expires or is evicted. Reads
// and writes go over the same connection, so that nothing can be read over one that is
// not told of changes. Those who watch hear of
//
//   - a session that has changed or ended, by an event with its ID; one by a write of
//     this store with its version, if nobody has changed it since;
//   - a connection that broke, was made, or moved to another primary, and FLUSHALL, by
//     an event without an ID: recheck everything;
//   - each [Config.Heartbeat], by an event with Whole, that the servers have answered, in
//     a Cluster all that are connected, as primaries that serve all slots. A server that
//     hangs, or packets that are lost, are noticed by its absence.
//
// What is not told: SWAPDB. The server tells of a key in whatever database; an event of a
// session that has not changed does no harm.
package redisstore
