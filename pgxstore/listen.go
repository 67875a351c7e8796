package pgxstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nestsession/session/store"
)

// dialPatience is how long it may take until a new connection listens.
const dialPatience = 3 * time.Second

// wire is a connection that listens.
type wire struct {
	*listening
	conn  *pgx.Conn
	table found
	beats []beat // those that have not come back, the oldest first
}

// beat is a heartbeat on its way.
type beat struct {
	text string // which nobody else can know before it is sent
	at   time.Time
}

// listen tells of changes until the connection breaks or ctx ends; whole is called when
// the first heartbeat has come back.
func (l *listening) listen(ctx context.Context, whole func()) error {
	w := &wire{listening: l}
	if err := w.open(ctx); err != nil {
		return err
	}
	defer hangUp(w.conn)
	l.feed.Send(store.Event{})
	if !isClosed(l.up) {
		close(l.up)
	}
	for next := time.Now(); ; {
		if !time.Now().Before(next) {
			next = time.Now().Add(l.store.config.Heartbeat)
			if err := w.beat(ctx); err != nil {
				return err
			}
		}
		if err := w.hear(ctx, next, whole); err != nil {
			return err
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// open dials, looks whether the table tells of changes, and listens.
func (w *wire) open(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	if w.conn, err = w.store.dial(ctx); err != nil {
		return err
	}
	if err = w.begin(ctx); err != nil {
		hangUp(w.conn)
	}
	return err
}

func (w *wire) begin(ctx context.Context) (err error) {
	if w.table, err = w.store.inspect(ctx, w.conn); err != nil {
		return fmt.Errorf("pgxstore: looking at the trigger: %w", err)
	}
	if err = w.store.check(w.table); err != nil {
		return fmt.Errorf("pgxstore: %w", err)
	}
	// Nobody reads heartbeats in the log that recovery and standbys follow: their commit
	// need not wait for it.
	if _, err = w.conn.Exec(ctx, "SET synchronous_commit = off"); err != nil {
		return fmt.Errorf("pgxstore: %w", err)
	}
	// Where the server's system knows it: a node that has gone without a word is noticed
	// soon, and does not hold the notifications of others up.
	_, _ = w.conn.Exec(ctx, "SET tcp_user_timeout = '30s'")
	if _, err = w.conn.Exec(ctx, "LISTEN "+quote(w.table.channel)); err != nil {
		return fmt.Errorf("pgxstore: LISTEN: %w", err)
	}
	return nil
}

// beat sends a heartbeat, after making sure that what tells of changes is still what it
// was when the connection began to listen.
//
// Why it proves that nothing was missed: a transaction puts its notifications into the
// server's one queue before its commit can be seen, under a lock that it keeps until it
// is committed, so that the queue is in the order of the commits, and a connection reads
// it in order, past nothing that is not yet decided (src/backend/commands/async.c; the
// manual's page on NOTIFY: "messages from different transactions are delivered in the
// order in which the transactions committed"). Whatever could be seen at the moment at,
// before this one was sent, stands before it in the queue, and has been sent through the
// same connection when it comes back.
func (w *wire) beat(ctx context.Context) error {
	if len(w.beats) > 0 && time.Since(w.beats[0].at) > w.store.patience() {
		return errors.New("pgxstore: a heartbeat has not come back")
	}
	ctx, cancel := context.WithTimeout(ctx, w.store.patience())
	defer cancel()
	b := beat{text: rand.Text(), at: time.Now()}
	var mark, nothing string
	err := w.conn.QueryRow(ctx, `SELECT `+marking+`, pg_notify($3, $4)::text FROM pg_class c
		LEFT JOIN pg_proc p ON p.pronamespace = c.relnamespace AND p.proname = $2 AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
		WHERE c.oid = $1::oid`, w.table.oid, w.store.config.trigger("", "").name, w.table.channel, wordBeat+" "+b.text).Scan(&mark, &nothing)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && mark != w.table.mark {
		return errors.New("pgxstore: somebody has changed the table or what makes it tell of changes")
	}
	if err != nil {
		return fmt.Errorf("pgxstore: heartbeat: %w", err)
	}
	w.beats = append(w.beats, b)
	return nil
}

// hear passes on what comes until then.
func (w *wire) hear(ctx context.Context, until time.Time, whole func()) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for {
		n, err := w.conn.WaitForNotification(ctx)
		if pgconn.Timeout(err) && !w.conn.IsClosed() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("pgxstore: waiting for notifications: %w", err)
		}
		if n.Channel != w.table.channel {
			continue // the pool's hook for new connections listens to others, too
		}
		m := read(n.Payload)
		if m.beat == "" {
			w.feed.Send(m.event)
			continue
		}
		if len(w.beats) > 0 && w.beats[0].text == m.beat {
			w.feed.Send(store.Event{Whole: w.beats[0].at})
			w.beats = w.beats[1:]
			whole()
		}
	}
}
