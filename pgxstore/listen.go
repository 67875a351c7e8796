package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

const (
	// dialTimeout is how long it may take until a new connection reads the changes.
	dialTimeout = 3 * time.Second

	// maxWriting is how long of that it waits for transactions that are changing sessions.
	maxWriting = time.Second
)

// pollInterval is how often the changes are read. A transaction that notified would hold a
// lock of the whole server until its commit is on the disk: see docs/adr.
const pollInterval = 20 * time.Millisecond

// listenConn is a connection that reads the changes.
type listenConn struct {
	store    *Store
	feed     *feed.Feed
	conn     *pgx.Conn
	table    tableState
	query    string
	snapshot string    // of the transactions whose changes were reported
	polled   time.Time // when the last poll was sent
	checked  time.Time // when the trigger was last checked

	// running are the transactions that had begun and not ended, and when they were first
	// seen. The zero time is that of those that had changed sessions before the connection.
	running map[string]time.Time
}

// listen reports changes until the connection breaks or ctx ends.
func (s *Store) listen(ctx context.Context, l *feed.Listener) error {
	w := &listenConn{store: s, feed: &l.Feed}
	if err := w.open(ctx); err != nil {
		return err
	}
	defer closeConn(w.conn)
	l.Begin()
	for {
		if err := w.poll(ctx); err != nil {
			return err
		}
		if time.Since(w.checked) >= s.config.Heartbeat {
			if err := w.check(ctx); err != nil {
				return err
			}
			l.Working()
		}
		if !backoff.Pause(ctx, min(pollInterval, s.config.Heartbeat)) {
			return ctx.Err()
		}
	}
}

// open connects, checks the trigger, and remembers which changes are earlier ones.
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
	// The table of changes grows and shrinks too quickly for the planner's statistics.
	if _, err = w.conn.Exec(ctx, "SET enable_seqscan = off"); err != nil {
		return fmt.Errorf("pgxstore: %w", err)
	}
	w.query = pollQuery(w.store.config.trigger(w.table.schema, "").changes)
	return w.wait(ctx)
}

// wait remembers the snapshot from which on the changes are reported. Before that it waits
// for the transactions that are changing sessions to end, but not for the few that take
// long: when such a one ends, watchers recheck everything.
func (w *listenConn) wait(ctx context.Context) error {
	var writing []string // the transactions that have a lock on the table of changes
	err := w.conn.QueryRow(ctx, `SELECT ARRAY(SELECT x.transactionid::text FROM pg_locks l JOIN pg_locks x USING (virtualtransaction)
		WHERE x.locktype = 'transactionid' AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.relation = to_regclass($1::text))`,
		w.store.config.trigger(w.table.schema, "").changes).Scan(&writing)
	for until := time.Now().Add(maxWriting); err == nil; backoff.Pause(ctx, pollInterval/4) {
		w.polled = time.Now()
		if err = w.conn.QueryRow(ctx, "SELECT txid_current_snapshot()::text").Scan(&w.snapshot); err != nil {
			break
		}
		w.ended(w.snapshot)
		none := true
		for xid := range w.running {
			if n, _ := strconv.ParseUint(xid, 10, 64); slices.Contains(writing, strconv.FormatUint(n%(1<<32), 10)) {
				w.running[xid] = time.Time{}
				none = false
			}
		}
		if none || w.polled.After(until) {
			return nil
		}
	}
	return fmt.Errorf("pgxstore: finding out what is being changed: %w", err)
}

// pollQuery returns the changes of the transactions that the snapshot $1 does not show and
// the query's own does, and the query's snapshot. A snapshot does not show the transactions
// from xmax on, and those in xip, which were running.
//
// So an answer proves that nothing was missed: a change is in the table by the same commit
// that makes it visible. Every change that was visible when the query was sent is among its
// changes, or among those of an earlier query.
func pollQuery(changes string) string {
	return `SELECT txid_current_snapshot()::text, ARRAY(SELECT message FROM (
			SELECT tx, message FROM ` + changes + ` WHERE tx >= txid_snapshot_xmax($1::text::txid_snapshot)
			UNION ALL SELECT tx, message FROM ` + changes + ` WHERE tx = ANY(ARRAY(SELECT txid_snapshot_xip($1::text::txid_snapshot)))
		) AS m WHERE txid_visible_in_snapshot(tx, txid_current_snapshot()) ORDER BY tx)`
}

var errLate = errors.New("pgxstore: changes were removed before they were read")

// poll reports the changes since the last poll.
func (w *listenConn) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.store.timeout())
	defer cancel()
	sent := time.Now()
	var messages []string
	if err := w.conn.QueryRow(ctx, w.query, pgx.QueryExecModeCacheStatement, w.snapshot).Scan(&w.snapshot, &messages); err != nil {
		return fmt.Errorf("pgxstore: reading the changes: %w", err)
	}
	// The wall clock counts the time for which the machine was suspended.
	if time.Now().Round(0).Sub(w.polled.Round(0)) > keepChanges/2 {
		return errLate
	}
	if w.ended(w.snapshot) {
		w.feed.Send(store.Event{})
	}
	for _, m := range messages {
		w.feed.Send(parse(m))
	}
	w.polled = sent
	return nil
}

// ended reports whether a transaction has ended that took so long that its changes may have
// been removed before it was committed. The text of a snapshot is xmin:xmax:xip,xip,…
func (w *listenConn) ended(snapshot string) (long bool) {
	now, before := time.Now(), w.running
	w.running = map[string]time.Time{}
	_, xip, _ := strings.Cut(snapshot, ":")
	_, xip, _ = strings.Cut(xip, ":")
	for xid := range strings.SplitSeq(xip, ",") {
		if xid == "" {
			continue
		}
		since, known := before[xid]
		if !known {
			since = now
		}
		w.running[xid] = since
		delete(before, xid)
	}
	for _, since := range before {
		long = long || now.Sub(since) > keepChanges/2
	}
	return long
}

// check checks that the trigger and the table of changes are still those that they were when
// the connection was opened, and reports that until the last poll nothing was missed.
func (w *listenConn) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.store.timeout())
	defer cancel()
	w.checked = time.Now()
	var mark string
	c := w.store.config
	err := w.conn.QueryRow(ctx, `SELECT `+marking+` FROM pg_class c `+joins+`
		WHERE c.oid = $1::oid`, w.table.oid, c.named("nest_watch"), c.named("nest_changes")).Scan(&mark)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && mark != w.table.mark {
		return errors.New("pgxstore: the table or its trigger was changed")
	}
	if err != nil {
		return fmt.Errorf("pgxstore: heartbeat: %w", err)
	}
	w.feed.Send(store.Event{Whole: w.polled})
	return nil
}
