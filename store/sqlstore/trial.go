package sqlstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/nestsession/session/store"
)

// trialData is how many bytes of data a table has to take at the least: those of a small
// session with its cookie's settings and its bookkeeping.
const trialData = 1024

// trial keeps two sessions in the table for as long as a transaction that is undone. What
// the database says of a table does not tell whether rows can be written: another
// program's column may want a value, a partition may be missing, a constraint, a trigger
// or a policy may refuse. Without it the first login would find that out.
type trial struct {
	s        *Store
	tx       *sql.Tx
	began    time.Time
	ids      [2]string // a unique index that is not ours may take only one of the two
	versions [2]store.Version
	rewrites bool   // the column keeps another text than it was given, as jsonb does
	doing    string // for the error
}

// tryOut runs the statements that requests will run, and leaves nothing behind.
func (s *Store) tryOut(ctx context.Context, is table) error {
	err := s.write(ctx, func() error {
		tx, err := s.config.DB.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		t := &trial{
			s: s, tx: tx, began: s.config.Now(), rewrites: is.column(s.config.Columns.Data).typ == "jsonb",
			ids: [2]string{trialID(s.shape.native), trialID(s.shape.native)},
		}
		err = t.live(ctx)
		if err != nil && s.shape.dialect == MySQL {
			t.remove(ctx) // the table may know no transactions
		}
		_ = tx.Rollback()
		if err != nil && !isTransient(s.config.Dialect, err) && isVerdict(s.shape.dialect, err) {
			err = &obstacle{table: s.shape.table, doing: t.doing, advice: s.advice(is, err), error: newDiscreet(err, "")}
		}
		return err
	})
	var found *obstacle
	if errors.As(err, &found) && ctx.Err() == nil {
		return found
	}
	return s.failed(ctx, "trying out the table "+s.shape.table, "", err)
}

// trialID is as long as the longest id that package session makes: the native key, which
// is a digest, or under the express preset what is left where a session was renewed.
func trialID(native bool) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	id := base64.RawURLEncoding.EncodeToString(raw[:])
	if native {
		return id
	}
	return "nestsession:link:" + id
}

// live is a session's life, for each of the two.
func (t *trial) live(ctx context.Context) error {
	t.doing = "creating"
	if t.s.shape.dialect == Postgres {
		// What is looked at before a commit is looked at now: each statement of a request is
		// a transaction of its own.
		if _, err := t.tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		doing string
		do    func(ctx context.Context, i int) error
	}{{"creating", t.create}, {"loading", t.load}, {"saving", t.update}, {"touching", t.touch}, {"deleting", t.delete}} {
		t.doing = step.doing
		for i := range t.ids {
			if err := step.do(ctx, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// record is what is written in a step.
func (t *trial) record(i, step int) store.Record {
	const head = `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"trial":"`
	fill := strings.Repeat(string(rune('a'+step)), trialData-len(head)-len(`"}`))
	r := store.Record{ID: t.ids[i], Data: []byte(head + fill + `"}`), Expires: t.began.Add(time.Duration(1+step) * time.Hour)}
	if step > 0 && t.s.shape.writesOwner() {
		r.Owner = "user:trial"
	}
	return r
}

func (t *trial) create(ctx context.Context, i int) error {
	v, _ := t.s.values(t.record(i, 0))
	if t.s.shape.dialect == Postgres {
		return t.returns(ctx, &t.s.q.insert, &v)
	}
	return t.affects(ctx, &t.s.q.insert, &v)
}

func (t *trial) load(ctx context.Context, i int) error {
	want := t.record(i, 0)
	v, _ := t.s.values(want)
	row := found{id: want.ID}
	err := t.s.q.load.row(ctx, t.tx, &v, row.dest(t.s.shape.dialect, false)...)
	if errors.Is(err, sql.ErrNoRows) {
		return errUnseen
	}
	if err != nil {
		return err
	}
	is := t.s.record(&row)
	moved := is.Expires.Sub(want.Expires).Abs() > time.Minute
	if moved || !t.rewrites && !bytes.Equal(is.Data, want.Data) || t.s.shape.writesOwner() && is.Owner != want.Owner {
		return errAltered
	}
	t.versions[i] = is.Version
	return nil
}

func (t *trial) update(ctx context.Context, i int) error {
	v, _ := t.s.values(t.record(i, 1))
	switch t.s.shape.dialect {
	case Postgres:
		v[pVersion] = int64(t.versions[i])
		return t.returns(ctx, &t.s.q.update, &v)
	case MySQL:
		v[pVersion] = digestText(t.versions[i])
	case SQLite:
		old := t.record(i, 0)
		v[pOldData], v[pOldOwner] = string(old.Data), old.Owner
	}
	return t.affects(ctx, &t.s.q.update, &v)
}

func (t *trial) touch(ctx context.Context, i int) error {
	v, _ := t.s.values(t.record(i, 2))
	return t.affects(ctx, &t.s.q.touch, &v)
}

func (t *trial) delete(ctx context.Context, i int) error {
	v, _ := t.s.values(t.record(i, 2))
	return t.affects(ctx, &t.s.q.delete, &v)
}

// remove takes out what there is, after something has failed.
func (t *trial) remove(ctx context.Context) {
	for i := range t.ids {
		_ = t.delete(ctx, i)
	}
}

// returns runs a statement of PostgreSQL that returns the row that it has written.
func (t *trial) returns(ctx context.Context, st *statement, v *values) error {
	var xmin int64
	err := st.row(ctx, t.tx, v, &xmin)
	if errors.Is(err, sql.ErrNoRows) {
		return errIgnored
	}
	return err
}

// affects runs a statement that has to change one row.
func (t *trial) affects(ctx context.Context, st *statement, v *values) error {
	n, err := st.exec(ctx, t.tx, v)
	if err == nil && n != 1 {
		return errIgnored
	}
	return err
}
