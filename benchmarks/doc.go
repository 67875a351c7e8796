// Package benchmarks measures sessions side by side with what else a Go service
// would use, as real middleware around the same handlers, in one run. See README.md
// for how to run it and what it showed.
package benchmarks
