package sqlstore

import (
	"errors"
	"fmt"
)

// What a trial finds without an error of the database.
var (
	errIgnored = errors.New("the database reports success and has written nothing")
	errUnseen  = errors.New("what was written is not found")
	errAltered = errors.New("what was written reads otherwise: it has another expiry, other data or another owner")
)

// obstacle says what of a table is in the way of sessions.
type obstacle struct {
	error
	table, doing, advice string
}

func (o *obstacle) Error() string {
	return fmt.Sprintf("sqlstore: the table %s cannot keep sessions; %s one failed, and was undone: %v; %s", o.table, o.doing, o.error, o.advice)
}

func (o *obstacle) Unwrap() error { return o.error }

// isVerdict says that it was the table that failed, and not the way to the database.
func isVerdict(d Dialect, err error) bool {
	switch {
	case errors.Is(err, errIgnored), errors.Is(err, errUnseen), errors.Is(err, errAltered):
		return true
	case d == Postgres:
		return isUndone(err)
	case d == MySQL:
		return number(err, "Number") != 0
	}
	return number(err, "Code") != 0
}

// reason is a kind of obstacle.
type reason int

const (
	unknown reason = iota
	missingValue
	generated
	noPartition
	constraint
	notUnique
	reference
	tooNarrow
	denied
	readOnly
	refused
	full
)

// The databases' names for the reasons: PostgreSQL's by SQLSTATE, those of MySQL and
// MariaDB by number, SQLite's extended codes.
var (
	reasonsPostgres = map[string]reason{
		"23502": missingValue, "428C9": generated, "23514": constraint, "23505": notUnique, "23P01": notUnique,
		"23503": reference, "22001": tooNarrow, "42501": denied, "25006": readOnly, "P0001": refused, "53100": full,
	}
	reasonsMySQL = map[int64]reason{
		1364: missingValue, 1048: missingValue, 1906: generated, 3105: generated, 1526: noPartition, 3819: constraint, 4025: constraint,
		1062: notUnique, 1452: reference, 1216: reference, 1406: tooNarrow, mysqlDenied: denied, mysqlColumnDenied: denied,
		1290: readOnly, 1792: readOnly, 1836: readOnly, 1644: refused, 1114: full, 1021: full,
	}
	reasonsSQLite = map[int64]reason{
		1299: missingValue, 275: constraint, 2067: notUnique, 1555: notUnique, 787: reference, 1811: refused,
	}
	reasonsSQLitePrimary = map[int64]reason{8: readOnly, 13: full}
)

func (s *Store) reason(err error) reason {
	switch s.shape.dialect {
	case Postgres:
		return reasonsPostgres[state(err)]
	case MySQL:
		return reasonsMySQL[number(err, "Number")]
	}
	code := number(err, "ExtendedCode") // mattn/go-sqlite3
	if code == 0 {
		code = number(err, "Code")
	}
	if r := reasonsSQLite[code]; r != unknown {
		return r
	}
	return reasonsSQLitePrimary[code&0xff]
}

// advice says what to do about it.
func (s *Store) advice(is table, err error) string {
	t := s.shape.table
	switch s.reason(err) {
	case missingValue:
		return "a column that the store does not write must take NULL or have a default: ALTER TABLE " + t + " to drop its NOT NULL, give it a DEFAULT, or drop it"
	case generated:
		return "a column that the store writes is a generated one: make it an ordinary column"
	case noPartition:
		return "no partition takes every session: partition by a hash of the id, or add one for all others"
	case constraint:
		return "a CHECK of the table refuses sessions: drop it, or have it let them through"
	case notUnique:
		return "a unique index besides the one on the id takes two sessions for one: drop it"
	case reference:
		return "a foreign key refuses sessions: drop it"
	case tooNarrow:
		return fmt.Sprintf("a column is too narrow: the store needs room for ids of %d characters and data of %d bytes at the least", len(trialID(s.shape.native)), trialData)
	case denied:
		if is.hidden {
			return "row level security keeps the rows of " + t + " from this user: ALTER TABLE " + t + " DISABLE ROW LEVEL SECURITY, or CREATE POLICY … FOR ALL TO this user USING (true) WITH CHECK (true)"
		}
		return "GRANT SELECT, INSERT, UPDATE, DELETE ON " + t + " to the user"
	case readOnly:
		if s.shape.dialect == SQLite {
			return "give the process the right to write the file and its folder, and open it without mode=ro"
		}
		return "the server or the connection takes no writes: connect to the primary (with PostgreSQL target_session_attrs=read-write), and set no read-only mode"
	case refused:
		return "a trigger refuses sessions: drop it, or have it let them through"
	case full:
		return "make room on the disk"
	}
	switch {
	case !errors.Is(err, errIgnored) && !errors.Is(err, errUnseen) && !errors.Is(err, errAltered):
		return "the statements are those of every request"
	case is.hidden:
		return "row level security hides the rows of " + t + " from this user: ALTER TABLE " + t + " DISABLE ROW LEVEL SECURITY, or CREATE POLICY … FOR ALL TO this user USING (true) WITH CHECK (true)"
	}
	return "look for a trigger or a rule on " + t + " that leaves rows out or changes them, and drop it"
}
