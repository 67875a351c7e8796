// Package natsstore keeps sessions in a key-value bucket of NATS JetStream: on servers of their own,
// or on servers inside the application (package embedded), so that three nodes need no database.
//
//	conn, err := nats.Connect("nats://10.0.0.1,nats://10.0.0.2,nats://10.0.0.3", natsstore.Options()...)
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	kept, err := natsstore.New(ctx, natsstore.Config{Conn: conn})
//	if err != nil {
//		return err
//	}
//	defer kept.Close()
//
// It needs nats-server 2.12 or later; the tests run on 2.15.
//
// # What is stored
//
// The stream KV_nest_sessions has three kinds of subjects below $KV.nest_sessions:
//
//   - id.<token>: a session. The message has the owner, the expiry in milliseconds and the document.
//   - owner.<token>.<token>: that an owner has a session: an entry of the owner's index.
//   - sync.<token>: a barrier, see below.
//
// A token is "i" and the text if that has only letters, digits, "-" and "_" and at most 128 bytes;
// otherwise "h" and the text's SHA-256 in base64url. So an id may be any text.
//
// A session and the entry of its owner are written by one atomic batch, with one replica one after the
// other. So an owner's sessions are listed by their entries, and none is missed. An entry lasts for twice the session's life and an hour, so
// that most touches write only the session.
//
// # Versions
//
// A version is the sequence of the message in the stream. Every write is a publication that names
// the sequence that it replaces, so of several updates of one version one succeeds. The first
// sequence of a bucket is the time of its creation in microseconds: a bucket that was deleted and made
// again does not repeat versions. Touch reads the session and swaps it, so it changes the version;
// an Update with the earlier version gets [store.ErrConflict].
//
// # Reads
//
// JetStream's servers answer reads from what they have, and a leader that has lost the others does
// so for ten seconds. A Store with more than one replica therefore reads in two steps. It writes a barrier, a
// message of a few bytes that the majority has to acknowledge; then it reads the session and the
// barrier from the nearest server in one request, until the answer has the barrier. So an answer has
// everything that was acknowledged before the read began, whichever server answers and whatever its clock says.
// Concurrent reads share a barrier, and package nearcache in front needs none for what it has in memory.
//
// # Without a majority
//
// While the majority of a bucket's replicas is down, frozen or cut off, every call returns an error
// when its context ends or [Config.Timeout] has passed, and never [store.ErrNotFound]. After the
// death of a leader the others elect a new one within 4 to 10 seconds.
//
// A write whose answer does not come is followed by a read that shows whether it has taken effect,
// and is sent again if it has not. If its context ends before that is known, the call returns an
// error, and the write may still take effect.
//
// # Expiry
//
// The nodes decide by [Config.Now] when a session expires, to the millisecond. The servers remove its
// message [ClockSlack] later (the header Nats-TTL), which counts from the moment of the write. So the clocks
// of nodes and servers may differ by less than that without a loss; by as much as a node's clock is
// wrong, it sees sessions expire early or late.
//
// A server that starts after SIGKILL reads from its files also the messages that were replaced. It keeps the newest
// of a subject; if that one has expired, the server serves the former one again (nats-server issue 8505,
// present in 2.15.3). So a message lasts at least as long as those that it replaces, and the marker of a deleted session
// lasts until the session would have expired; forever, if the session had no expiry.
//
// # What an acknowledged save survives
//
//	replicas  kept on         one server killed   two killed               all killed    power cut of all
//	1         memory          no                  -                        no            no
//	1         disk            yes, unavailable    -                        yes           up to 2 minutes are lost
//	1         disk, synced    yes, unavailable    -                        yes           yes
//	3         disk            yes                 yes, unavailable         yes           up to 2 minutes are lost
//	3         disk, synced    yes                 yes, unavailable         yes           yes
//	3         memory          yes                 may be lost              no            no
//
// "Unavailable" means that calls return errors until the majority is back. "Synced" is the server's
// setting sync_interval: always, and SyncAlways of package embedded. Without it a server syncs every two
// minutes, and what it has acknowledged survives the end of processes, not of the operating system.
// Of three, a server writes a change to the file of its Raft log before it counts for the majority, and the leader
// answers after that. It writes the file of the stream some milliseconds later, and takes what that file lacks from
// the log when it starts. A server by itself writes the file of the stream before it answers.
//
// A power cut of one machine of three loses nothing that the two others have; but if one of these
// lags behind, and the third is then lost as well, the two may agree on an older state. Sync where
// machines can fail together. A server that comes back with an empty disk or memory copies the data from the
// others, and counts as killed until it has. If it is the only one, all sessions are lost. A Store then
// makes the bucket again at its next call, and its watchers are told that they have missed changes.
// If all servers of a cluster come back with empty disks, restart the nodes: New makes the bucket again.
//
// # Limits
//
// A session has to fit into a message: the server's max_payload, by default 1 MiB, in package embedded 8
// MiB. A bucket has no limit of its own, and New refuses one that has: a full bucket could neither
// be read nor end a session, since both write. If the servers' or the account's limits are reached,
// Create and Update return [store.ErrFull], and so may all other calls. Watch the disk.
package natsstore
