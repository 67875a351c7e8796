package pgxstore_test

import (
	"strings"
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Changes of any id are reported, and an id of any length does not make the write fail.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sqlstore.MaxID)
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c)
			ids := []string{"it's", `back\slash "quoted"`, "한글 \U0001f600", " spaces ", "a\nb", "$nest$", long}
			if c.Layout == sqlstore.Native {
				ids = append(ids, "\x00\xff\xfe")
			}
			for _, id := range ids {
				r := record("x")
				r.ID = id
				create(t, p.here, r)
				if err := p.here.Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				if got := p.watch.only("a deletion"); got != (store.Event{Digest: store.DigestOf(id), Ended: true}) {
					t.Errorf("%.20q: %+v", id, got)
				}
			}
		})
	}
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, layouts["ConnectPgSimple"])
		exec(t, p.pool, `INSERT INTO session (sid, sess, expire) VALUES ($1, '{}', now() + interval '1 hour')`, strings.Repeat(long, 10))
		exec(t, p.pool, `UPDATE session SET sess = '{"a":1}'`)
		exec(t, p.pool, `DELETE FROM session`)
		if events := p.watch.take(); len(events) != 2 {
			t.Errorf("got %+v, want a change and an end", events)
		}
	})
}

// Whatever else a program does to rows, watchers get an event.
func TestOddWrites(t *testing.T) {
	t.Parallel()
	p := newPair(t, layouts["ConnectPgSimple"])
	r := create(t, p.here, record("a"))

	exec(t, p.pool, `UPDATE session SET sid = 'b' WHERE sid = 'a'`)
	lost := 1
	p.watch.take()
	if got := p.watch.missed(); got != lost+1 {
		t.Errorf("an id that was changed: %d events to recheck everything, want %d", got, lost+1)
	}

	exec(t, p.pool, `BEGIN; DELETE FROM session WHERE sid = 'b'; INSERT INTO session (sid, sess, expire) VALUES ('b', '{"new":1}', now() + interval '1 hour'); COMMIT`)
	if got := p.watch.only("a replacement"); !got.Concerns("b") {
		t.Errorf("a replacement: %+v", got)
	}

	exec(t, p.pool, `BEGIN; SAVEPOINT s; UPDATE session SET sess = '{"new":2}' WHERE sid = 'b'; RELEASE s; COMMIT`)
	got := p.watch.only("a write after a savepoint")
	now, err := p.there.Load(t.Context(), "b")
	if err != nil || !got.Concerns("b") || got.Version == r.Version {
		t.Errorf("a write after a savepoint: %+v; the record: %+v, %v", got, now, err)
	}

	exec(t, p.pool, `BEGIN; UPDATE session SET sess = '{"new":3}' WHERE sid = 'b'; ROLLBACK`)
	if events := p.watch.take(); len(events) != 0 {
		t.Errorf("what was rolled back: %+v", events)
	}
}

// A message that a node does not understand makes watchers recheck everything.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	p := newPair(t, layouts["Native"])
	for i, message := range []string{"", "hello", "changed", "changed x 61", "changed 1 6", "changed 1 xx", "changed 1 " + strings.Repeat("6", 30), "ended 0 " + strings.Repeat("6", 64), "beat somebody 1"} {
		exec(t, p.pool, "INSERT INTO "+changesOf(p.config)+" (tx, message) VALUES (txid_current(), $1)", message)
		if events := p.watch.take(); len(events) != 0 || p.watch.missed() != i+2 {
			t.Errorf("%q: %+v, %d events to recheck everything, want %d", message, events, p.watch.missed(), i+2)
		}
	}
}
