//go:build !unix

package sqlitefile

// usable returns nil: SQLite says what it may not do.
func usable(string) error { return nil }
