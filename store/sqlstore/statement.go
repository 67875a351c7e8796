package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"
)

// param is a parameter of a statement.
type param uint8

const (
	pID param = iota
	pOwner
	pData
	pExpires
	pDue
	pNow
	pVersion
	pOldOwner
	pOldData
	pAfter
	pLimit
	pIDs // of many rows, like those below
	pOwners
	pDatas
	pExpiries
	pDues
	pVersions
	params
)

// paramNames are the parameters as templates name them: @id, @now.
var paramNames = map[string]param{
	"id": pID, "owner": pOwner, "data": pData, "expires": pExpires, "due": pDue, "now": pNow, "version": pVersion,
	"oldowner": pOldOwner, "olddata": pOldData, "after": pAfter, "limit": pLimit,
	"ids": pIDs, "owners": pOwners, "datas": pDatas, "expiries": pExpiries, "dues": pDues, "versions": pVersions,
}

// values are the parameters of one call.
type values [params]any

// statements are all that a Store sends after New. A field without a text is a statement
// that the dialect or the table does not have.
type statements struct {
	load     statement
	loadMany statement // by @ids, for batches

	insert  statement // also takes an expired row's place if the dialect can in one statement
	replace statement // takes an expired row's place, if insert cannot

	update     statement
	updateMany statement // by @ids, for batches
	old        statement // reads what update compares with, if the database has no digest

	touch      statement
	delete     statement
	deleteMany statement // by @ids, for batches

	list        statement
	listOwner   statement
	listUnowned statement // rows whose owner is NULL

	sweep   statement
	expired statement // reads the keys that a sweep deletes, if sweep cannot in one statement

	// idList encodes @ids. The ids are plain.
	idList func(ids []string) string
}

// all returns the statements that have a text.
func (q *statements) all() []*statement {
	var all []*statement
	for _, st := range []*statement{
		&q.load, &q.loadMany, &q.insert, &q.replace, &q.update, &q.updateMany, &q.old, &q.touch, &q.delete, &q.deleteMany,
		&q.list, &q.listOwner, &q.listUnowned, &q.sweep, &q.expired,
	} {
		if st.exists() {
			all = append(all, st)
		}
	}
	return all
}

func (q *statements) close() (err error) {
	for _, st := range q.all() {
		err = errors.Join(err, st.close())
	}
	return err
}

// statement is the text of a statement, and its parameters in the order in which the
// driver takes them.
type statement struct {
	text     string
	order    []param
	prepared *sql.Stmt // nil: the text is sent each time
	first    rowReader // nil: database/sql reads a row
}

// sql makes a statement of its template, in which
//
//	{table}, {id}, {owner index}   are names from the Config, quoted,
//	{t.id}                         is a column of the alias t,
//	{live}, {over}, {t.over}       are expressions of the table's time format, see times,
//	{if owner} … {end}             is left out if the store does not write the owner,
//	@id, @now                      are parameters.
func (d *tableDef) sql(template string) statement {
	e := expansion{def: d}
	e.add(template, "")
	return statement{text: e.text.String(), order: e.order}
}

// expansion is a template half expanded.
type expansion struct {
	def   *tableDef
	text  strings.Builder
	order []param
}

// add expands a template. The alias, "t." or "", stands before each column's name.
func (e *expansion) add(template, alias string) {
	for {
		i := strings.IndexAny(template, "{@\n")
		if i < 0 {
			e.text.WriteString(template)
			return
		}
		e.text.WriteString(template[:i])
		mark, rest := template[i], template[i+1:]
		switch mark {
		case '\n':
			e.text.WriteByte(' ')
			template = strings.TrimLeft(rest, "\t")
		case '@':
			n := 0
			for n < len(rest) && 'a' <= rest[n] && rest[n] <= 'z' {
				n++
			}
			e.param(rest[:n])
			template = rest[n:]
		case '{':
			name, after, _ := strings.Cut(rest, "}")
			if name == "if owner" && !e.def.writesOwner() {
				_, after, _ = strings.Cut(after, "{end}")
			}
			e.name(name, alias)
			template = after
		}
	}
}

// name adds what a name in braces stands for. What it stands for is not expanded again,
// whatever the name of a table holds.
func (e *expansion) name(name, alias string) {
	if name == "if owner" || name == "end" {
		return
	}
	if column, ok := strings.CutPrefix(name, "t."); ok {
		name, alias = column, "t."
	}
	if expression, ok := e.def.times.sql()[name]; ok {
		e.add(expression, alias)
		return
	}
	switch name {
	case "id", "data", "expires", "due", "owner":
		e.text.WriteString(alias)
	}
	text, ok := e.def.names[name]
	if !ok {
		text = "{" + name + "}" // a mistake, which a test finds
	}
	e.text.WriteString(text)
}

// param adds a parameter: $1 for PostgreSQL, which takes each value once, and ? for the
// others, which take one for each ?.
func (e *expansion) param(name string) {
	p, ok := paramNames[name]
	if !ok {
		e.text.WriteString("@" + name) // a mistake, which a test finds
		return
	}
	if !e.def.traits.numbered {
		e.text.WriteByte('?')
		e.order = append(e.order, p)
		return
	}
	n := 0
	for n < len(e.order) && e.order[n] != p {
		n++
	}
	if n == len(e.order) {
		e.order = append(e.order, p)
	}
	e.text.WriteByte('$')
	e.text.WriteString(strconv.Itoa(n + 1))
}

// rowReader reads a row without database/sql, as [Config.Row] does.
type rowReader func(ctx context.Context, text string, args, dest []any) error

func (st *statement) exists() bool { return st.text != "" }

func (st *statement) args(v *values) []any {
	args := make([]any, len(st.order))
	for i, p := range st.order {
		args[i] = v[p]
	}
	return args
}

func (st *statement) exec(ctx context.Context, db queryer, v *values) (affected int64, err error) {
	var r sql.Result
	if st.prepared != nil {
		r, err = st.prepared.ExecContext(ctx, st.args(v)...)
	} else {
		r, err = db.ExecContext(ctx, st.text, st.args(v)...)
	}
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (st *statement) row(ctx context.Context, db queryer, v *values, dest ...any) error {
	if _, pool := db.(*sql.DB); pool && st.first != nil { // and not a transaction
		if err := st.first(ctx, st.text, st.args(v), dest); !errors.Is(err, driver.ErrBadConn) {
			return err
		}
		// Nothing was sent. database/sql tries other connections.
	}
	if st.prepared != nil {
		return st.prepared.QueryRowContext(ctx, st.args(v)...).Scan(dest...)
	}
	return db.QueryRowContext(ctx, st.text, st.args(v)...).Scan(dest...)
}

func (st *statement) rows(ctx context.Context, db queryer, v *values) (*sql.Rows, error) {
	if st.prepared != nil {
		return st.prepared.QueryContext(ctx, st.args(v)...)
	}
	return db.QueryContext(ctx, st.text, st.args(v)...)
}

// prepare prepares a statement for all connections: database/sql prepares it again on each
// connection on which it is first used.
func (st *statement) prepare(ctx context.Context, db *sql.DB) (err error) {
	st.prepared, err = db.PrepareContext(ctx, st.text)
	return err
}

func (st *statement) close() error {
	if st.prepared == nil {
		return nil
	}
	return st.prepared.Close()
}
