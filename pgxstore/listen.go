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

// dialTimeout is how long it may take until a new connection listens.
const dialTimeout = 3 * time.Second

// listenConn is a connection that listens.
type listenConn struct {
	*listener
	conn  *pgx.Conn
	table tableState
	beats []beat // those that have not arrived, the oldest first
}

// beat is a heartbeat that was sent.
type beat struct {
	text string // random, so that nobody else knows it before it is sent
	at   time.Time
}

// listen reports changes until the connection breaks or ctx ends. It calls whole for each
// heartbeat that arrives.
func (l *listener) listen(ctx context.Context, whole func()) error {
	w := &listenConn{listener: l}
	if err := w.open(ctx); err != nil {
		return err
	}
	defer closeConn(w.conn)
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
		if err := w.receive(ctx, next, whole); err != nil {
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

// open connects, checks the trigger, and listens.
func (w *listenConn) open(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if w.conn, err = w.store.dial(ctx); err != nil {
		return err
	}
	if err = w.start(ctx); err != nil {
		closeConn(w.conn)
	}
	return err
}

func (w *listenConn) start(ctx context.Context) (err error) {
	if w.table, err = w.store.inspect(ctx, w.conn); err != nil {
		return fmt.Errorf("pgxstore: looking up the trigger: %w", err)
	}
	if err = w.store.check(w.table); err != nil {
		return fmt.Errorf("pgxstore: %w", err)
	}
	// Heartbeats matter neither to recovery nor to standbys, so their commits need not wait
	// for the log to reach the disk.
	if _, err = w.conn.Exec(ctx, "SET synchronous_commit = off"); err != nil {
		return fmt.Errorf("pgxstore: %w", err)
	}
	// If the server's system supports it, the server soon notices that a node has vanished.
	// Such a node would hold up the queue for the others.
	_, _ = w.conn.Exec(ctx, "SET tcp_user_timeout = '30s'")
	if _, err = w.conn.Exec(ctx, "LISTEN "+quote(w.table.channel)); err != nil {
		return fmt.Errorf("pgxstore: LISTEN: %w", err)
	}
	return nil
}

// beat sends a heartbeat, after it has checked that the trigger is still the one that it was
// when the connection began to listen.
//
// A heartbeat that arrives proves that nothing was missed. A transaction puts its
// notifications into the server's one queue before its commit becomes visible, under a lock
// that it holds until it is committed. So the queue is in the order of the commits. A
// connection reads the queue in order, and stops at a transaction that is not yet decided
// (src/backend/commands/async.c; the manual's page on NOTIFY: "messages from different
// transactions are delivered in the order in which the transactions committed"). Every
// change that was visible at the time at, before the heartbeat was sent, is before it in the
// queue, and has come through the same connection when the heartbeat arrives.
func (w *listenConn) beat(ctx context.Context) error {
	if len(w.beats) > 0 && time.Since(w.beats[0].at) > w.store.timeout() {
		return errors.New("pgxstore: a heartbeat has not arrived")
	}
	ctx, cancel := context.WithTimeout(ctx, w.store.timeout())
	defer cancel()
	b := beat{text: rand.Text(), at: time.Now()}
	var mark, nothing string
	err := w.conn.QueryRow(ctx, `SELECT `+marking+`, pg_notify($3, $4)::text FROM pg_class c
		LEFT JOIN pg_proc p ON p.pronamespace = c.relnamespace AND p.proname = $2 AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
		WHERE c.oid = $1::oid`, w.table.oid, w.store.config.trigger("", "").name, w.table.channel, wordBeat+" "+b.text).Scan(&mark, &nothing)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && mark != w.table.mark {
		return errors.New("pgxstore: the table or its trigger was changed")
	}
	if err != nil {
		return fmt.Errorf("pgxstore: heartbeat: %w", err)
	}
	w.beats = append(w.beats, b)
	return nil
}

// receive passes on the notifications that arrive until then.
func (w *listenConn) receive(ctx context.Context, until time.Time, whole func()) error {
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
			continue // the pool's hook for new connections may listen to other channels
		}
		m := parse(n.Payload)
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
