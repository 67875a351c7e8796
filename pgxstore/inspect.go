package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// tableState describes a table and its triggers.
type tableState struct {
	oid      uint32
	schema   string
	kind     string
	mark     string // of function, triggers and the table of changes; any change of them changes it
	changes  bool   // there is the table of changes
	function bool   // the function is as it should be
	row      state
	truncate state
}

// state is the state of a trigger.
type state int

const (
	absent state = iota
	wrong        // disabled, with another function, or for other events
	right
)

// marking is an expression on the pg_class c of a table, the pg_proc p of its function and
// the pg_class h of its changes. Its value changes when one of them is dropped, disabled, replaced or made again, because
// xmin is the number of the transaction that wrote a row.
const marking = `concat_ws(' ', c.oid, p.oid, p.xmin, h.oid, h.relfilenode,
	(SELECT string_agg(concat_ws(' ', t.oid, t.xmin), ' ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('` + rowTrigger + `', '` + truncateTrigger + `')))`

// joins finds the function with the name $2 and the table of changes with the name $3.
const joins = `LEFT JOIN pg_proc p ON p.pronamespace = c.relnamespace AND p.proname = $2 AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
	LEFT JOIN pg_class h ON h.relnamespace = c.relnamespace AND h.relname = $3`

// triggerState is a state; the numbers are the events of a trigger as pg_trigger.tgtype
// has them: 1 for each row, 8 DELETE, 16 UPDATE, 32 TRUNCATE, and AFTER by default.
func triggerState(name string, events int) string {
	return fmt.Sprintf(`coalesce((SELECT CASE WHEN t.tgtype = %d AND t.tgfoid = p.oid AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr::text = '' THEN %d ELSE %d END
		FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = '%s'), %d)`, events, right, wrong, name, absent)
}

// inspect looks up the table under the name by which the connection finds it.
func (s *Store) inspect(ctx context.Context, conn *pgx.Conn) (tableState, error) {
	var f tableState
	var body string
	c := s.config
	t := c.trigger(c.Schema, s.zone)
	// The time zone matters, and is set, only if the column has none.
	err := conn.QueryRow(ctx, `SELECT c.oid, n.nspname, c.relkind::text, `+marking+`,
			coalesce(h.relpersistence = 'u' AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = h.oid)
				AND has_table_privilege(h.oid, 'SELECT'), false),
			coalesce(p.prosrc, ''), coalesce(p.prosecdef AND p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp']
				AND ($4 = '' OR EXISTS (SELECT FROM unnest(p.proconfig) AS x WHERE lower(x) = lower('timezone=' || $4))), false),
			`+triggerState(rowTrigger, 1|8|16)+`, `+triggerState(truncateTrigger, 32)+`
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		`+joins+`
		WHERE c.oid = to_regclass($1::text)`, t.table, t.name, c.named("nest_changes"), s.zone).Scan(
		&f.oid, &f.schema, &f.kind, &f.mark, &f.changes, &body, &f.function, &f.row, &f.truncate)
	if errors.Is(err, pgx.ErrNoRows) {
		return f, fmt.Errorf("the table %s no longer exists", t.table)
	}
	if err != nil {
		return f, err
	}
	f.function = f.function && (body == c.trigger(f.schema, s.zone).body || body == c.body(""))
	if f.kind != "r" {
		return f, fmt.Errorf("%s is a view, a foreign or a partitioned table, for which a trigger cannot report every change; name an ordinary table", t.table)
	}
	return f, nil
}

// missing returns the statements that make or repair what is not as it should be.
func (s *Store) missing(f tableState) []string {
	t := s.config.trigger(f.schema, s.zone)
	var todo []string
	if !f.changes {
		todo = append(todo, t.createChanges()...)
	}
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

// check returns an error if something is missing.
func (s *Store) check(f tableState) error {
	todo := s.missing(f)
	if len(todo) == 0 {
		return nil
	}
	return fmt.Errorf("the table %s does not report changes: set Config.Create, or run:\n%s;", quote(s.config.Table), strings.Join(todo, ";\n"))
}

// ensure makes what is missing if Config.Create says so, or returns an error that names it.
func (s *Store) ensure(ctx context.Context, conn *pgx.Conn) error {
	f, err := s.inspect(ctx, conn)
	if err != nil {
		return fmt.Errorf("pgxstore: looking up the trigger: %w", err)
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

// makeMissing makes what is missing, under a lock that other nodes take as well.
func (s *Store) makeMissing(ctx context.Context, conn *pgx.Conn, f tableState) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "nest_watch "+quote(f.schema)+"."+quote(s.config.Table)); err != nil {
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
