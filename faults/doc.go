// Package faults holds the tests of what goes wrong around a session store: servers
// that are killed, hang, refuse to write, are replaced, run out of disk; connections
// that are cut or slow. It has no code to import.
package faults
