// Package simulation runs several nodes of an application against one store in virtual
// time: their memory caches, their watches of the store, and a network between that
// delays, repeats, reorders, loses and lies. Users log in, change things, renew, log out
// and keep streams open on all nodes at once. A history of what was answered is held
// against what the library promises.
//
// Everything that is left to chance is drawn from a seed: [Run] with the same seed is
// the same run. Planted bugs show that the checks can see.
package simulation
