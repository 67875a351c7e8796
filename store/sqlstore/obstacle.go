package sqlstore

import (
	"errors"
	"fmt"
)

// What a trial finds out although the database has returned no error.
var (
	errIgnored = errors.New("the database reported success but has written nothing")
	errUnseen  = errors.New("the written row is not found")
	errAltered = errors.New("the written row was changed: it has another expiry, other data or another owner")
)

// obstacle is the error of a table that cannot keep sessions.
type obstacle struct {
	error
	table, doing, advice string
}

func (o *obstacle) Error() string {
	return fmt.Sprintf("sqlstore: the table %s cannot keep sessions: %s one failed, and was rolled back: %v; %s", o.table, o.doing, o.error, o.advice)
}

func (o *obstacle) Unwrap() error { return o.error }

// obstacle makes an [obstacle] of a trial's error if it was the table that failed, and not
// the connection.
func (s *Store) obstacle(is tableInfo, doing string, err error) error {
	if err == nil || s.dialect.isTransient(err) {
		return err
	}
	if _, refused := s.dialect.reason(err); !refused && !isFinding(err) {
		return err
	}
	return &obstacle{table: s.def.table, doing: doing, advice: s.advice(is, err), error: redact(err, "")}
}

// isFinding reports whether a trial has found out something by itself.
func isFinding(err error) bool {
	return errors.Is(err, errIgnored) || errors.Is(err, errUnseen) || errors.Is(err, errAltered)
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

// serverReadOnly is the advice for a server that takes no writes.
const serverReadOnly = "the server or the connection takes no writes: connect to the primary (with PostgreSQL target_session_attrs=read-write), and set no read-only mode"

// advice says how to remove the obstacle.
func (s *Store) advice(is tableInfo, err error) string {
	t := s.def.table
	switch r, _ := s.dialect.reason(err); r {
	case missingValue:
		return "a column that the store does not write needs a value: ALTER TABLE " + t + " to drop its NOT NULL, give it a DEFAULT, or drop it"
	case generated:
		return "a column that the store writes is a generated one: make it an ordinary column"
	case noPartition:
		return "no partition takes every session: partition by a hash of the id, or add one for all others"
	case constraint:
		return "a CHECK of the table refuses sessions: drop it, or change it to accept them"
	case notUnique:
		return "a unique index other than the one on the id accepts only one of two sessions: drop it"
	case reference:
		return "a foreign key refuses sessions: drop it"
	case tooNarrow:
		return fmt.Sprintf("a column is too narrow: the store needs room for ids of %d characters and data of at least %d bytes", len(trialID(s.def.native)), trialData)
	case denied:
		if is.hidden {
			return "row level security forbids this user to write rows of " + t + ": ALTER TABLE " + t + " DISABLE ROW LEVEL SECURITY, or CREATE POLICY … FOR ALL TO this user USING (true) WITH CHECK (true)"
		}
		return "GRANT SELECT, INSERT, UPDATE, DELETE ON " + t + " to the user"
	case readOnly:
		return s.def.traits.readOnlyAdvice
	case refused:
		return "a trigger refuses sessions: drop it, or change it to accept them"
	case full:
		return "make room on the disk"
	}
	switch {
	case !isFinding(err):
		return "every request would run the same statements"
	case is.hidden:
		return "row level security hides the rows of " + t + " from this user: ALTER TABLE " + t + " DISABLE ROW LEVEL SECURITY, or CREATE POLICY … FOR ALL TO this user USING (true) WITH CHECK (true)"
	}
	return "look for a trigger or a rule on " + t + " that leaves rows out or changes them, and drop it"
}
