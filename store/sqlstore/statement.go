package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// param is a value that a statement takes.
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
	pIDs // of many rows, as the next
	pOwners
	pDatas
	pExpiries
	pDues
	pVersions
	params
)

// values are those of one call, by param.
type values [params]any

// statement is the text of one and which values it takes, in the order of its
// placeholders.
type statement struct {
	text     string
	order    []param
	prepared *sql.Stmt // nil: the text is sent each time
}

// compose makes a statement of texts, params and slices of both.
func (d Dialect) compose(parts ...any) statement {
	var b strings.Builder
	var order []param
	var add func(parts []any)
	add = func(parts []any) {
		for _, part := range parts {
			switch p := part.(type) {
			case string:
				b.WriteString(p)
			case []any:
				add(p)
			case param:
				if d != Postgres {
					b.WriteByte('?')
					order = append(order, p)
					continue
				}
				n := 0
				for n < len(order) && order[n] != p {
					n++
				}
				if n == len(order) {
					order = append(order, p)
				}
				b.WriteByte('$')
				b.WriteString(strconv.Itoa(n + 1))
			}
		}
	}
	add(parts)
	return statement{text: b.String(), order: order}
}

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

// prepare readies a statement for all connections: database/sql prepares it anew on
// each one that it is first used on.
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
