package pgxstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// The names of the triggers, which only have to be unique for their table.
const (
	rowTrigger      = "nest_watch"
	truncateTrigger = "nest_watch_truncate"
)

// maxName is the longest name in bytes that PostgreSQL keeps whole.
const maxName = 63

// Statements returns the statements that make the table of c, the table of its changes, and
// its trigger, for an operator who would rather run them than set [Config.Create]. The last
// eight, which make all but the table of c, may be run again.
//
// For ConnectPgSimple they take the time zone from c.TimeZone, or from the connection on
// which they run, which then must not set a zone of its own.
//
// The error is of a Config that cannot work.
func Statements(c Config) ([]string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	todo, err := sqlstore.Statements(c.sql())
	if err != nil {
		return nil, err
	}
	t := c.trigger(c.Schema, c.TimeZone)
	return append(append(todo, t.createChanges()...),
		t.createFunction(),
		t.drop(rowTrigger, " IF EXISTS"), t.createRow(),
		t.drop(truncateTrigger, " IF EXISTS"), t.createTruncate()), nil
}

// trigger is the trigger of a table and its function.
type trigger struct {
	table    string // quoted
	changes  string // the table of changes, quoted
	index    string // its index's name
	function string // quoted
	name     string // the function's, unquoted and without schema
	body     string // of the function
	settings string // of the function
}

// trigger returns the trigger for the table in a schema; "" is the schema in which the
// connection creates tables.
func (c Config) trigger(schema, zone string) trigger {
	t := trigger{name: c.named("nest_watch"), index: c.named("nest_changes_tx"), settings: " SET search_path = pg_catalog, pg_temp"}
	t.table, t.changes, t.function = quote(c.Table), quote(c.named("nest_changes")), quote(t.name)
	if schema != "" {
		in := quote(schema) + "."
		t.table, t.changes, t.function = in+t.table, in+t.changes, in+t.function
		t.body = c.body(t.changes)
	} else {
		t.body = c.body("")
	}
	switch {
	case c.Layout == sqlstore.Native:
	case zone == "":
		t.settings += " SET timezone FROM CURRENT"
	default:
		t.settings += " SET timezone = " + literal(zone)
	}
	return t
}

// named is the name of something that belongs to the table and is in its schema.
func (c Config) named(what string) string {
	if name := c.Table + "_" + what; len(name) <= maxName {
		return name
	}
	return fmt.Sprintf("%s_%x", what, sha256.Sum224([]byte(c.Table)))[:maxName]
}

// digestOf is the expression for [store.DigestOf] an id that is bytes, in hexadecimal.
func digestOf(id string) string {
	return fmt.Sprintf("left(encode(sha256(%s), 'hex'), %d)", id, hex.EncodedLen(len(store.Digest{})))
}

// allowance is how much longer, in seconds, a session may live than by the database's clock,
// because nodes use their own clocks.
const allowance = 5

// body is the body of the function. It compares columns of any type as text, because json
// cannot be compared, and if in doubt it reports a change. txid_current is the xmin of the
// new row, except for a write after a SAVEPOINT: then the reported version is one that no
// node has, and nodes load the record again.
//
// The function names the table of changes, or finds it in the schema of the sessions' table
// if changes is "": then the database plans the statement anew each time.
func (c Config) body(changes string) string {
	col := func(row, name string) string { return row + "." + quote(name) }
	id := func(row string) string { return "convert_to(" + col(row, c.Columns.ID) + "::text, 'UTF8')" }
	over := func(row, since string) string {
		return col(row, c.Columns.Expires) + "::timestamptz <= clock_timestamp()" + since
	}
	since := fmt.Sprintf(" - interval '%d seconds'", allowance)
	same := []string{c.Columns.Data}
	if c.OwnerColumn != "" {
		same = append(same, c.OwnerColumn)
	}
	if c.Layout == sqlstore.Native {
		id = func(row string) string { return col(row, c.Columns.ID) }
		over = func(row, since string) string {
			return col(row, c.Columns.Expires) + " <= date_part('epoch', clock_timestamp()" + since + ") * 1000" // extract is a numeric, which takes longer
		}
		same = []string{c.Columns.Data, nativeOwner}
	}
	var unchanged []string
	for _, name := range same {
		old, new := col("OLD", name), col("NEW", name)
		if c.Layout != sqlstore.Native {
			old, new = old+"::text", new+"::text"
		}
		unchanged = append(unchanged, old+" IS NOT DISTINCT FROM "+new)
	}
	unchanged = append(unchanged, col("NEW", c.Columns.Expires)+" >= "+col("OLD", c.Columns.Expires))
	insert := "INSERT INTO " + changes + " (tx, message) VALUES (txid_current(), word || digest);"
	// Of the first changes in the order of transactions, those that are old: it never reads all
	// changes of a minute. It does not wait for another one that removes the same.
	remove := func(table string) string {
		return fmt.Sprintf(`DELETE FROM %[1]s WHERE ctid = ANY(ARRAY(SELECT ctid FROM %[1]s WHERE ctid = ANY(ARRAY(
			SELECT ctid FROM (SELECT ctid, at FROM %[1]s ORDER BY tx LIMIT %[3]d) oldest
			WHERE at < clock_timestamp() - interval '%[2]d seconds')) FOR UPDATE SKIP LOCKED))`, table, int(keepChanges.Seconds()), 4*removeEvery)
	}
	forget := remove(changes) + ";"
	if changes == "" {
		table := literal(c.named("nest_changes"))
		insert = "EXECUTE format('INSERT INTO %I.%I (tx, message) VALUES ($1, $2)', TG_TABLE_SCHEMA, " + table + ") USING txid_current(), word || digest;"
		forget = "EXECUTE format(" + literal(remove("%1$I.%2$I")) + ", TG_TABLE_SCHEMA, " + table + ");"
	}
	return fmt.Sprintf(`
DECLARE
	word text := '%s';
	digest text := '';
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF %s THEN
			RETURN NULL;
		END IF;
		word := '%s 0 ';
	ELSIF TG_OP = 'UPDATE' THEN
		IF %s = %s THEN
			IF %s THEN
				RETURN NULL;
			END IF;
			word := CASE WHEN %s THEN '%s ' ELSE '%s ' END || txid_current() %% 4294967296 || ' ';
		END IF;
	END IF;
	IF word <> '%s' THEN
		digest := %s;
	END IF;
	%s
	IF random() < %g THEN
		%s
	END IF;
	RETURN NULL;
END
`, wordAll, over("OLD", since), wordEnded, id("OLD"), id("NEW"), strings.Join(unchanged, " AND "), over("NEW", ""), wordEnded, wordChanged,
		wordAll, digestOf(id("OLD")), insert, 1.0/removeEvery, forget)
}

const (
	// keepChanges is how long a change is kept for the nodes to read. A node rechecks
	// everything if it has not read for half of that, or after a transaction that took
	// half of that: see listenConn.poll.
	keepChanges = time.Minute

	// removeEvery is the number of changes after which, on average, the trigger looks at the
	// first ones, four times as many, and removes those that are old.
	removeEvery = 100
)

// nativeOwner is the column for the owner in the native table.
const nativeOwner = "owner"

func (t trigger) createFunction() string {
	mark := "$nest$"
	for i := 0; strings.Contains(t.body, mark); i++ {
		mark = fmt.Sprintf("$nest%d$", i)
	}
	return "CREATE OR REPLACE FUNCTION " + t.function + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER" + t.settings + " AS " + mark + t.body + mark
}

// createChanges are the statements that make the table of changes. It is unlogged: a crash
// empties it, which also ends the connections that read it, so that the nodes recheck
// everything. Everyone may read it, since it names sessions by digests, and only the trigger
// writes it, with the rights of its owner.
func (t trigger) createChanges() []string {
	return []string{
		"CREATE UNLOGGED TABLE IF NOT EXISTS " + t.changes + " (tx bigint NOT NULL, message text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())",
		"CREATE INDEX IF NOT EXISTS " + quote(t.index) + " ON " + t.changes + " (tx)",
		"GRANT SELECT ON " + t.changes + " TO PUBLIC",
	}
}

func (t trigger) createRow() string {
	return "CREATE TRIGGER " + rowTrigger + " AFTER UPDATE OR DELETE ON " + t.table + " FOR EACH ROW EXECUTE FUNCTION " + t.function + "()"
}

func (t trigger) createTruncate() string {
	return "CREATE TRIGGER " + truncateTrigger + " AFTER TRUNCATE ON " + t.table + " FOR EACH STATEMENT EXECUTE FUNCTION " + t.function + "()"
}

func (t trigger) drop(name, ifExists string) string {
	return "DROP TRIGGER" + ifExists + " " + name + " ON " + t.table
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
