// Package wire measures what docs/session-or-jwt.md says of sessions and tokens: the bytes of a
// request, when a logout takes effect, what a leaked secret is worth, and the memory of a server.
//
//	go test -v ./wire
package wire
