package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// found is what is there of a table and its triggers.
type found struct {
	oid      uint32
	schema   string
	kind     string
	channel  string
	mark     string // of function and triggers, another one after any change
	function bool   // as it should be
	row      state
	truncate state
}

// state is a trigger's.
type state int

const (
	absent state = iota
	wrong        // disabled, another function's, for other events
	right
)

// marking is an expression over the pg_class c of a table and the pg_proc p of its
// function. Whoever drops, disables, replaces or makes one of them anew changes it, since
// xmin is the number of the transaction that wrote a row.
const marking = `concat_ws(' ', c.oid, p.oid, p.xmin,
	(SELECT string_agg(concat_ws(' ', t.oid, t.xmin), ' ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('` + rowTrigger + `', '` + truncateTrigger + `')))`

// triggerState is a state; the numbers are the events of a trigger as pg_trigger.tgtype
// has them: 1 for each row, 8 DELETE, 16 UPDATE, 32 TRUNCATE, and AFTER by default.
func triggerState(name string, events int) string {
	return fmt.Sprintf(`coalesce((SELECT CASE WHEN t.tgtype = %d AND t.tgfoid = p.oid AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr::text = '' THEN %d ELSE %d END
		FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '%s'), %d)`, events, right, wrong, name, absent)
}

// inspect looks the table up, as the connection finds it.
func (s *Store) inspect(ctx context.Context, conn *pgx.Conn) (found, error) {
	var f found
	c := s.config
	t := c.trigger(c.Schema, s.zone)
	// The time zone matters, and is set, only where the column has none.
	err := conn.QueryRow(ctx, `SELECT c.oid, n.nspname, c.relkind::text, `+channelOf("n.nspname", "c.relname")+`, `+marking+`,
			coalesce(p.prosrc = $3 AND p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp']
				AND ($4 = '' OR EXISTS (SELECT FROM unnest(p.proconfig) AS x WHERE lower(x) = lower('timezone=' || $4))), false),
			`+triggerState(rowTrigger, 1|8|16)+`, `+triggerState(truncateTrigger, 32)+`
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = $2 AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
		WHERE c.oid = to_regclass($1::text)`, t.table, t.name, t.body, s.zone).Scan(
		&f.oid, &f.schema, &f.kind, &f.channel, &f.mark, &f.function, &f.row, &f.truncate)
	if errors.Is(err, pgx.ErrNoRows) {
		return f, fmt.Errorf("there is no table %s any more", t.table)
	}
	if err != nil {
		return f, err
	}
	if f.kind != "r" {
		return f, fmt.Errorf("%s is a view, a foreign or a partitioned table, of which a trigger cannot tell everything; name an ordinary table", t.table)
	}
	return f, nil
}

// missing are the statements that make what is not as it should be.
func (s *Store) missing(f found) []string {
	t := s.config.trigger(f.schema, s.zone)
	var todo []string
	if !f.function {
		todo = append(todo, t.createFunction())
	}
	for _, one := range []struct {
		is           state
		name, create string
	}{{f.row, rowTrigger, t.createRow()}, {f.truncate, truncateTrigger, t.createTruncate()}} {
		switch one.is {
		case wrong:
			todo = append(todo, t.drop(one.name, ""), one.create)
		case absent:
			todo = append(todo, one.create)
		}
	}
	return todo
}

// check is an error if something is missing.
func (s *Store) check(f found) error {
	todo := s.missing(f)
	if len(todo) == 0 {
		return nil
	}
	return fmt.Errorf("the table %s does not tell of changes: set Config.Create, or run:\n%s;", quote(s.config.Table), strings.Join(todo, ";\n"))
}

// ensure makes what is missing, if it is to, or says what it is.
func (s *Store) ensure(ctx context.Context, conn *pgx.Conn) error {
	f, err := s.inspect(ctx, conn)
	if err != nil {
		return fmt.Errorf("pgxstore: looking at the trigger: %w", err)
	}
	if len(s.missing(f)) == 0 {
		return nil
	}
	if !s.config.Create {
		return fmt.Errorf("pgxstore: %w", s.check(f))
	}
	if err := s.makeMissing(ctx, conn, f); err != nil {
		return fmt.Errorf("pgxstore: making the trigger: %w", err)
	}
	return nil
}

// makeMissing makes it under a lock that other nodes take as well.
func (s *Store) makeMissing(ctx context.Context, conn *pgx.Conn, f found) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f.channel); err != nil {
			return err
		}
		f, err := s.inspect(ctx, conn)
		if err != nil {
			return err
		}
		for _, text := range s.missing(f) {
			if _, err := tx.Exec(ctx, text); err != nil {
				return fmt.Errorf("%w; the statement was: %s", err, text)
			}
		}
		return nil
	})
}
