package users

import "github.com/nestsession/session/cmd/nestsession/internal/storeurl"

// statements are all that is sent to a database of one kind, except for what makes the tables of an
// SQLite file.
type statements struct {
	tables   []string // make the tables of version 1; each does nothing if the server has them
	upgrades []string // to version 2, 3 and so on
	version  string   // returns version and issuer
	enter    string   // records version and issuer of new tables

	register string // name, password, generation, time
	nextID   string // where register takes the id first; "": the database gives it and register returns it
	byName   string
	byID     string
	change   string
	current  string
	ping     string

	page    string // from an id on
	find    string // locks the account; "": the three below return it
	disable string // generation, time, name
	enable  string
	remove  string
}

var dialects = map[storeurl.Kind]*statements{
	storeurl.SQLite: {
		register: `INSERT INTO users (name, password, generation, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id`,
		byName:   `SELECT id, password, generation, disabled_at IS NOT NULL FROM users WHERE name = ?`,
		byID:     `SELECT name, password, generation FROM users WHERE id = ? AND disabled_at IS NULL`,
		change:   `UPDATE users SET password = ?, generation = ? WHERE id = ? AND generation = ? AND disabled_at IS NULL`,
		current:  `SELECT name, generation FROM users WHERE id = ? AND disabled_at IS NULL`,
		ping:     `SELECT count(*) FROM users WHERE id = 0`,

		page:    `SELECT id, name, created_at, coalesce(disabled_at, 0) FROM users WHERE id > ? ORDER BY id LIMIT ?`,
		disable: `UPDATE users SET generation = ?, disabled_at = coalesce(disabled_at, ?) WHERE name = ? RETURNING id, name, created_at, coalesce(disabled_at, 0)`,
		enable:  `UPDATE users SET disabled_at = NULL WHERE name = ? RETURNING id, name, created_at, coalesce(disabled_at, 0)`,
		remove:  `DELETE FROM users WHERE name = ? RETURNING id, name, created_at, coalesce(disabled_at, 0)`,
	},

	// A sequence never gives a number twice, whatever happens to the rows and the server.
	storeurl.Postgres: {
		tables: []string{
			`DO $$ BEGIN
				IF current_setting('server_encoding') <> 'UTF8' THEN
					RAISE EXCEPTION 'usernames need a database with the encoding UTF8';
				END IF;
			END $$`,
			`CREATE TABLE IF NOT EXISTS nest_users (
				id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
				name        TEXT COLLATE "C" NOT NULL UNIQUE,
				password    TEXT NOT NULL,
				generation  BIGINT NOT NULL,
				created_at  BIGINT NOT NULL,
				disabled_at BIGINT)`,
			`CREATE TABLE IF NOT EXISTS nest_throttle (
				key         BYTEA PRIMARY KEY,
				empty_at    BIGINT NOT NULL,
				under_way   BIGINT NOT NULL,
				lease_until BIGINT NOT NULL)`,
			`CREATE INDEX IF NOT EXISTS nest_throttle_empty_at ON nest_throttle (empty_at)`,
			`CREATE TABLE IF NOT EXISTS nest_users_meta (
				one     BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
				version BIGINT NOT NULL,
				issuer  TEXT NOT NULL)`,
		},
		version: `SELECT version, issuer FROM nest_users_meta`,
		enter:   `INSERT INTO nest_users_meta (version, issuer) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET version = excluded.version`,

		register: `INSERT INTO nest_users (name, password, generation, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING RETURNING id`,
		byName:   `SELECT id, password, generation, disabled_at IS NOT NULL FROM nest_users WHERE name = $1`,
		byID:     `SELECT name, password, generation FROM nest_users WHERE id = $1 AND disabled_at IS NULL`,
		change:   `UPDATE nest_users SET password = $1, generation = $2 WHERE id = $3 AND generation = $4 AND disabled_at IS NULL`,
		current:  `SELECT name, generation FROM nest_users WHERE id = $1 AND disabled_at IS NULL`,
		ping:     `SELECT count(*) FROM nest_users WHERE id = 0`,

		page:    `SELECT id, name, created_at, coalesce(disabled_at, 0) FROM nest_users WHERE id > $1 ORDER BY id LIMIT $2`,
		disable: `UPDATE nest_users SET generation = $1, disabled_at = coalesce(disabled_at, $2) WHERE name = $3 RETURNING id, name, created_at, coalesce(disabled_at, 0)`,
		enable:  `UPDATE nest_users SET disabled_at = NULL WHERE name = $1 RETURNING id, name, created_at, coalesce(disabled_at, 0)`,
		remove:  `DELETE FROM nest_users WHERE name = $1 RETURNING id, name, created_at, coalesce(disabled_at, 0)`,
	},

	// The last id is in a row of its own: MySQL 5.7 and MariaDB up to 10.2.3 keep the next value of
	// AUTO_INCREMENT only in memory, and after a restart of the server give the id of the latest
	// account again if that account was deleted.
	storeurl.MySQL: {
		tables: []string{
			`CREATE TABLE IF NOT EXISTS nest_users (
				id          BIGINT NOT NULL PRIMARY KEY,
				name        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
				password    VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
				generation  BIGINT NOT NULL,
				created_at  BIGINT NOT NULL,
				disabled_at BIGINT) ENGINE=InnoDB`,
			"CREATE TABLE IF NOT EXISTS nest_throttle (\n" +
				"`key`       BINARY(32) NOT NULL PRIMARY KEY," + `
				empty_at    BIGINT NOT NULL,
				under_way   BIGINT NOT NULL,
				lease_until BIGINT NOT NULL,
				INDEX nest_throttle_empty_at (empty_at)) ENGINE=InnoDB`,
			`CREATE TABLE IF NOT EXISTS nest_users_meta (
				one     TINYINT NOT NULL PRIMARY KEY,
				version BIGINT NOT NULL,
				issuer  CHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
				last_id BIGINT NOT NULL) ENGINE=InnoDB`,
		},
		version: `SELECT version, issuer FROM nest_users_meta`,
		enter:   `INSERT INTO nest_users_meta (one, version, issuer, last_id) VALUES (1, ?, ?, 0) ON DUPLICATE KEY UPDATE version = VALUES(version)`,

		nextID:   `UPDATE nest_users_meta SET last_id = LAST_INSERT_ID(last_id + 1)`,
		register: `INSERT INTO nest_users (name, password, generation, created_at, id) VALUES (?, ?, ?, ?, ?)`,
		byName:   `SELECT id, password, generation, disabled_at IS NOT NULL FROM nest_users WHERE name = ?`,
		byID:     `SELECT name, password, generation FROM nest_users WHERE id = ? AND disabled_at IS NULL`,
		change:   `UPDATE nest_users SET password = ?, generation = ? WHERE id = ? AND generation = ? AND disabled_at IS NULL`,
		current:  `SELECT name, generation FROM nest_users WHERE id = ? AND disabled_at IS NULL`,
		ping:     `SELECT count(*) FROM nest_users WHERE id = 0`,

		page:    `SELECT id, name, created_at, coalesce(disabled_at, 0) FROM nest_users WHERE id > ? ORDER BY id LIMIT ?`,
		find:    `SELECT id, name, created_at, coalesce(disabled_at, 0) FROM nest_users WHERE name = ? FOR UPDATE`,
		disable: `UPDATE nest_users SET generation = ?, disabled_at = coalesce(disabled_at, ?) WHERE name = ?`,
		enable:  `UPDATE nest_users SET disabled_at = NULL WHERE name = ?`,
		remove:  `DELETE FROM nest_users WHERE name = ?`,
	},
}
