// Package pgxstore tests pgxstore on real PostgreSQL servers: its trigger, its notifications, and faults.
// It has no code to import.
package pgxstore
