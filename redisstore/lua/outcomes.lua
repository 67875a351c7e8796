-- What a script returns, or puts first in the table that it returns. Go has the same
-- numbers: see the outcome constants in scripts.go.
local MISSING = 0 -- there is no session
local CONFLICT = 1 -- the session has another version
local UNLISTED = 2 -- the owner would change: write the index first
local DONE = 3
local UNBATCHED = 4 -- this session needs a script run of its own
local EXISTS = 5 -- there is a session already
