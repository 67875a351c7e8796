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

// trialData is how many bytes of data a table must be able to keep: those of a small
// session with its cookie's settings and its bookkeeping.
const trialData = 1024

// trial writes two sessions in a transaction that is rolled back. The database's
// description of a table does not say whether rows can be written: another program's
// column may need a value, a partition may be missing, a constraint, a trigger or a policy
// may refuse. Without the trial, the first login would find that out.
type trial struct {
	s        *Store
	tx       *sql.Tx
	began    time.Time
	ids      [2]string // two, because a foreign unique index may take the first and refuse the second
	versions [2]store.Version
	rewrites bool   // the column changes the text that it is given, as jsonb does
	doing    string // for the error
}

// tryOut runs the statements that requests will run, and leaves nothing behind.
func (s *Store) tryOut(ctx context.Context, is tableInfo) error {
	err := s.write(ctx, func() error {
		tx, err := s.config.DB.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		t := &trial{
			s: s, tx: tx, began: s.config.Now(), rewrites: is.column(s.config.Columns.Data).typ == "jsonb",
			ids: [2]string{trialID(s.def.native), trialID(s.def.native)},
		}
		err = t.run(ctx)
		if err != nil && s.def.traits.noRollback {
			t.remove(ctx)
		}
		_ = tx.Rollback()
		return s.obstacle(is, t.doing, err)
	})
	var found *obstacle
	if errors.As(err, &found) && ctx.Err() == nil {
		return found
	}
	return s.failed(ctx, "trying out the table "+s.def.table, "", err)
}

// trialID is as long as the longest id that package session makes: the native key, which
// is a digest, or under the express preset the key of the pointer that a renewal leaves.
func trialID(native bool) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	id := base64.RawURLEncoding.EncodeToString(raw[:])
	if native {
		return id
	}
	return "nestsession:link:" + id
}

// run creates, loads, saves, touches and deletes both sessions.
func (t *trial) run(ctx context.Context) error {
	t.doing = "creating"
	if first := t.s.def.traits.beginTrial; first != "" {
		if _, err := t.tx.ExecContext(ctx, first); err != nil {
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

// record is what a step writes.
func (t *trial) record(i, step int) store.Record {
	const head = `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"trial":"`
	fill := strings.Repeat(string(rune('a'+step)), trialData-len(head)-len(`"}`))
	r := store.Record{ID: t.ids[i], Data: []byte(head + fill + `"}`), Expires: t.began.Add(time.Duration(1+step) * time.Hour)}
	if step > 0 && t.s.def.writesOwner() {
		r.Owner = "user:trial"
	}
	return r
}

func (t *trial) create(ctx context.Context, i int) error {
	r := t.record(i, 0)
	v, _ := t.s.values(r)
	version, err := t.s.writeRow(ctx, t.tx, &t.s.q.insert, r, &v)
	return written(version, err)
}

func (t *trial) load(ctx context.Context, i int) error {
	want := t.record(i, 0)
	is, err := t.s.loadFrom(ctx, t.tx, want.ID)
	if errors.Is(err, store.ErrNotFound) {
		return errUnseen
	}
	if err != nil {
		return err
	}
	moved := is.Expires.Sub(want.Expires).Abs() > time.Minute
	if moved || !t.rewrites && !bytes.Equal(is.Data, want.Data) || t.s.def.writesOwner() && is.Owner != want.Owner {
		return errAltered
	}
	t.versions[i] = is.Version
	return nil
}

func (t *trial) update(ctx context.Context, i int) error {
	r := t.record(i, 1)
	r.Version = t.versions[i]
	v, _ := t.s.values(r)
	version, err := t.s.updateOnce(ctx, t.tx, r, &v)
	return written(version, err)
}

// written returns an error also if no row was written.
func written(version store.Version, err error) error {
	if err == nil && version == 0 {
		return errIgnored
	}
	return err
}

func (t *trial) touch(ctx context.Context, i int) error {
	return t.affects(ctx, &t.s.q.touch, i)
}

func (t *trial) delete(ctx context.Context, i int) error {
	return t.affects(ctx, &t.s.q.delete, i)
}

// affects runs a statement that has to change one row.
func (t *trial) affects(ctx context.Context, st *statement, i int) error {
	v, _ := t.s.values(t.record(i, 2))
	n, err := st.exec(ctx, t.tx, &v)
	if err == nil && n != 1 {
		return errIgnored
	}
	return err
}

// remove deletes what a failed trial has written, where a table ignores transactions.
func (t *trial) remove(ctx context.Context) {
	for i := range t.ids {
		_ = t.delete(ctx, i)
	}
}
