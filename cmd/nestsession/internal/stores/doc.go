// Package stores opens the store that a URL names.
package stores
