// Package house checks the repository: which package may import which, how large the root package
// is, and that the documents say what is true. Its tests read the repository that contains them.
package main
