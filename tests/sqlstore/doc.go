// Package sqlstore tests store/sqlstore with its drivers on SQLite, PostgreSQL, MySQL and MariaDB.
// It has no code to import.
package sqlstore
