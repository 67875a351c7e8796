// Package house holds the checks of how the repository is kept: which package may
// import which, how long a file may be, and that the documents say what is true. Its
// tests read the repository that they stand in.
package main
