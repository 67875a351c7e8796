CREATE TABLE users (
	-- AUTOINCREMENT: the id of a deleted account is never given to another, whose
	-- owner would then find the sessions of the first.
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	name        TEXT NOT NULL UNIQUE,
	password    TEXT NOT NULL,     -- argon2id as a PHC string
	generation  INTEGER NOT NULL,  -- random, and another one whenever the sessions are to end
	created_at  INTEGER NOT NULL,  -- milliseconds since 1970
	disabled_at INTEGER            -- the same; NULL: it is not
) STRICT;

PRAGMA user_version = 2;
