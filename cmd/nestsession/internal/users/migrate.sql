-- From version 1, in which a generation counted the changes of the password, so that who
-- can write a session could have guessed it. No session of that time holds one.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
UPDATE users SET generation = abs(random() % 9007199254740991) + 1;

PRAGMA user_version = 2;
