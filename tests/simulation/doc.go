// Package simulation runs several nodes of an application against one store in virtual
// time: their memory caches, their watches of the store, and a network between that
// delays, repeats, reorders, loses and lies. Visitors gather things, users log in, change
// things, renew, log out and keep streams open on all nodes at once, natively or under the
// preset of package express. Their browsers keep cookies as real ones do, and each answer
// takes a time of its own to arrive, or is lost. A history of what was answered is held
// against what the library promises.
//
// One order is kept. A Set-Cookie of a request by which a session began, moved, ended or
// was shown to live counts in the order in which the store did that; of two such answers
// the older is taken to have arrived first, since nobody can know better when it leaves.
// Any other Set-Cookie counts when it arrives.
//
// Everything that is left to chance is drawn from a seed: [Run] with the same seed is
// the same run. Planted bugs show that the checks can see.
package simulation
