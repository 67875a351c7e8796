// Package cluster breaks a cluster on purpose while users work with it. Three nodes, which are
// processes of their own with a near cache each, are behind HAProxy, which sends each request to the
// next node. They share one store, which may be NATS servers inside them. Users log in, change and read
// their sessions, open event streams and WebSockets, log out, and log in elsewhere, while nodes are killed
// and the store is disturbed. It has no code to import.
//
// Each user records what it was told. The tests compare every later answer with that record:
//
//   - A change that was acknowledged is in every session that is read later than the bound, and in
//     the session that each node reads at the end.
//   - No user gets the session of another.
//   - A cookie that was logged out is accepted for at most the bound.
//   - A login that was acknowledged is known until the user ends it.
//   - A stream ends with its session.
//   - No late response takes the cookie of a newer login away.
//
// The bound is nearcache.Config.MaxStale and a second. It counts from the moment when the user has
// the answer to the moment when the user sends the next request, so a slow machine does not move it.
// A stream has the time of a recheck and ten seconds more, after the store is reachable again.
//
// Redis replicates asynchronously, so what was acknowledged shortly before a failover may be lost:
// see package faults. The tests count such losses and do not fail.
package cluster
