// Package simulation runs several nodes of an application against one store in virtual
// time: their caches, their watches of the store, and a network that delays, repeats,
// reorders and loses messages, and reports failures for calls that succeeded. Visitors
// collect items, users log in, change data, renew, log out and keep streams open, on all
// nodes concurrently, without or under the preset of package express. Their browsers keep
// cookies as real ones do, and each response takes a random time to arrive, or is lost.
// The history of all responses is compared with what the library promises.
//
// One order is fixed. A Set-Cookie of a request by which a session began, moved, ended or
// was shown to be live counts in the order in which the store made these changes: of two
// such responses the older one counts as having arrived first, because a server cannot
// know their order when it sends them. Any other Set-Cookie counts when it arrives, and without the preset
// also one that only extends the cookie of its request.
//
// All random numbers come from a seed: [Run] with the same seed is the same run. Planted
// bugs show that the checks find bugs.
package simulation
