// Package devicebound binds sessions to a key in the browser's device, so that a stolen
// cookie is worth nothing elsewhere (Device Bound Session Credentials).
//
// It is experimental: the protocol is a draft that Chromium implements, and this package may
// change with it.
package devicebound
