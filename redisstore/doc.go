// Package redisstore keeps sessions in Redis 6.2 or later, or Valkey: on a single server, on
// one that Sentinel watches, or in a Cluster, depending on the rueidis client.
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
// By default each session is a key whose value is a header, with version, expiry and owner,
// and the document. With [Config.Express] the keys are those of connect-redis 9, so that
// express-session applications and this one share their sessions: the value is only the
// JSON text, and the expiry is the key's, in seconds rounded up.
//
// # Promises
//
// A read is one round trip, and so is a save without a conflict. There is one exception: in a
// Cluster, a save that gives a session an owner writes the owner's index first, unless
// [Config.Prefix] has a hash tag. That is the first save of an owner, and with
// [Config.Express] each save of an owned session.
//
// On a single server, calls that arrive while others are on their way are batched: reads as
// one MGET, updates as one run of a script.
//
// Compare-and-swap is a script on the server. If the answer to a write is lost, the write
// returns an error and is not sent again; the next load shows whether it was done. Reads go
// to the primary, even if the client sends other reads to replicas. The store sends a
// command again if its connection has just ended and the command is a read, or cannot have
// arrived. If the server refuses connections, that takes some 20 milliseconds and then is an
// error.
//
// The server decides what an acknowledged write survives: with appendfsync always a crash,
// with everysec a crash but for the last second, without persistence nothing. Replication is
// asynchronous: a failover may lose the last writes. With maxmemory-policy noeviction a full
// server refuses writes with [store.ErrFull], unless they make a session smaller. With
// volatile-ttl it ends the sessions that would end next. Do not use the allkeys-* policies:
// they evict live sessions, and the indexes that find them by owner.
//
// # Owners
//
// An index, a sorted set for each owner, finds the owner's sessions. It may list a session
// that has ended, but misses none that lives. An entry is written before its session, on a
// single server together with it. It is removed with the session if a script can do both,
// else when it is due, more than an hour after its session's expiry, and the session has
// ended. The index is trimmed when sessions are added or listed, and by [Store.TrimOwners]
// for owners who never come back. The store cannot list one kind of session: one that a Node
// application has written back more than an hour after its end.
//
// A count beside the index shows that the index was lost, deleted or evicted. Then the store
// searches all sessions, and writes the indexes again.
//
// # Watching
//
// The server reports each change of a session to a store that [Open] has made (CLIENT TRACKING
// in broadcasting mode), whoever makes it: another node, a Node application, an operator, or
// the server itself when a session expires or is evicted. Reads and writes use the same
// connection, so nothing is read over a connection on which changes are not reported.
// Watchers get
//
//   - an event with an ID for a session that has changed or ended; with its version if this
//     store has written it, and nobody has changed it since;
//   - an event without an ID when a connection breaks, is made, or moves to another primary,
//     and after FLUSHALL: recheck everything;
//   - an event with Whole at each [Config.Heartbeat] that the servers have answered, in a
//     Cluster all connected nodes, as primaries that serve all slots. Its absence shows a
//     server that hangs, or packets that are lost.
//
// SWAPDB is not reported. The server reports a key in any database; an event of a session
// that has not changed does no harm.
package redisstore
