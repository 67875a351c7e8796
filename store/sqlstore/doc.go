// Package sqlstore keeps sessions in a table of SQLite, PostgreSQL, MySQL or MariaDB.
package sqlstore
