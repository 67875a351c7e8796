CREATE TABLE users (
	-- AUTOINCREMENT: the id of a deleted account is never given to another, whose
	-- owner would then find the sessions of the first.
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT NOT NULL UNIQUE,
	password   TEXT NOT NULL,              -- argon2id as a PHC string
	generation INTEGER NOT NULL DEFAULT 1, -- counts the changes of the password
	created_at INTEGER NOT NULL            -- milliseconds since 1970
) STRICT;

PRAGMA user_version = 1;
