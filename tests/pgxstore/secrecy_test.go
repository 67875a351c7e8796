package pgxstore_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// stranger is a role that may only connect, and the messages that it reads.
type stranger struct {
	conn    *pgx.Conn
	changes string         // the table of changes
	heard   map[string]int // how many messages with each word
}

// newStranger reads the table of changes, which every role may do.
func newStranger(t *testing.T, p *pair) *stranger {
	t.Helper()
	role := strings.ReplaceAll(table(), "sessions", "stranger")
	server := servers.SharedPostgres(t)
	server.Exec(t, "postgres", "CREATE ROLE "+role+" LOGIN PASSWORD 'stranger'")
	t.Cleanup(func() { server.Exec(t, "postgres", "DROP ROLE "+role) })
	at, err := url.Parse(p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword(role, "stranger")
	s := &stranger{conn: connect(t, at.String()), changes: changesOf(p.config), heard: map[string]int{}}
	if _, err := s.conn.Exec(t.Context(), "SELECT * FROM "+quoted(p.config)); err == nil {
		t.Fatal("the stranger may read the table")
	}
	return s
}

// changesOf is the table of the changes of a table.
func changesOf(c pgxstore.Config) string {
	return "public." + strings.TrimSuffix(quoted(c), `"`) + `_nest_changes"`
}

// hear is the next message with that word.
func (s *stranger) hear(t *testing.T, word string) (message string) {
	t.Helper()
	eventually(t, "a message with "+word, func() bool {
		err := s.conn.QueryRow(t.Context(), "SELECT message FROM "+s.changes+" WHERE message LIKE $1 ORDER BY tx OFFSET $2 LIMIT 1", word+" %", s.heard[word]).Scan(&message)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
		return err == nil
	})
	s.heard[word]++
	return message
}

// Every role may read the changes, whatever its rights on the table. It learns no id: no
// message holds one.
func TestReadersOfChangesLearnNoID(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c)
			s := newStranger(t, p)
			r := record("vQ1x5sN8-hXg3mZy0pWk7tRb2cJf9LdA")
			r = create(t, p.here, r)
			r.Data = []byte(`{"cookie":{},"n":2}`)
			if _, err := p.here.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			changed := s.hear(t, "changed")
			if err := p.here.Touch(t.Context(), r.ID, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			heard := []string{changed, s.hear(t, "changed")}
			for _, payload := range heard {
				for _, part := range append(strings.Fields(payload), payload) {
					if _, err := p.there.Load(t.Context(), part); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("%q loads a session: %v", part, err)
					}
				}
			}
			if err := p.here.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			heard = append(heard, s.hear(t, "ended"))
			for _, payload := range heard {
				for _, form := range []string{r.ID, hex.EncodeToString([]byte(r.ID)), base64.StdEncoding.EncodeToString([]byte(r.ID))} {
					if strings.Contains(strings.ToLower(payload), strings.ToLower(form)) {
						t.Errorf("the message %q holds the id", payload)
					}
				}
			}
		})
	}
}

// Node's ids are not hashed. Nobody can log in with the messages about changes.
func TestReadersOfChangesCannotLogIn(t *testing.T) {
	t.Parallel()
	p := newPair(t, layouts["ConnectPgSimple"])
	config := express.Config("a secret that only this test knows")
	config.Store = p.there
	m, err := session.New[account](config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	n := &node{Manager: m}
	s := newStranger(t, p)
	ada := browser{}
	ada.visit(n, login("ada"))
	ada.visit(n, login("ada"))
	payload := s.hear(t, "ended")
	for _, part := range strings.Fields(payload) {
		for _, cookie := range ada {
			c := *cookie
			signature := c.Value[strings.LastIndex(c.Value, "."):]
			for _, value := range []string{part, "s:" + part, "s%3A" + part + signature} {
				c.Value = value
				thief := browser{c.Name: &c}
				thief.visit(n, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					if user := s.Data().User; user != "" {
						t.Errorf("%q has logged in as %s", value, user)
					}
				})
			}
		}
	}
}

// No role but the trigger's owner may write or remove changes. What the owner writes is only
// a hint: it ends no stream and no session.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	c := layouts["Native"]
	c.Heartbeat = 50 * time.Millisecond
	p := newPair(t, c)
	n := newNode(t, p.dsn, c)
	s := newStranger(t, p)
	ada := browser{}
	ada.visit(n, login("ada"))
	stream := ada.stream(t, n)
	ada.visit(n, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = "ada l." })
	})
	_, digest, _ := strings.Cut(strings.TrimPrefix(s.hear(t, "changed"), "changed "), " ")
	for _, text := range []string{
		"INSERT INTO " + s.changes + " (tx, message) VALUES (txid_current(), 'all')",
		"DELETE FROM " + s.changes, "UPDATE " + s.changes + " SET message = 'all'", "TRUNCATE " + s.changes,
	} {
		if _, err := s.conn.Exec(t.Context(), text); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("a stranger ran %s: %v", text, err)
		}
	}
	for _, message := range []string{"ended 0 " + digest, "changed 1 " + digest, "changed 0 " + digest, "all", "ended", strings.Repeat("x", 7999)} {
		exec(t, p.pool, "INSERT INTO "+s.changes+" (tx, message) VALUES (txid_current(), $1)", message)
	}
	p.watch.take() // they have been read
	if err := context.Cause(stream); err != nil {
		t.Errorf("a forged message has ended a stream: %v", err)
	}
	ada.visit(n, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if user := s.Data().User; user != "ada l." {
			t.Errorf("after forged messages the session is %q's", user)
		}
	})
	ada.visit(n, logout)
	eventually(t, "the end of the stream", func() bool { return stream.Err() != nil })
}

// A node that keeps sessions by their ids finds the session of a digest, before and after it
// has received other digests.
func TestCacheHearsDigests(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Heartbeat = 50 * time.Millisecond
			p := newPair(t, c)
			near := cached(t, p.there, nearcache.Config{MaxStale: time.Hour})
			for _, id := range []string{"first", "second", "third"} {
				r := create(t, p.here, record(id))
				eventually(t, "a hit", func() bool {
					before := near.Stats().Hits
					if _, err := near.Load(t.Context(), id); err != nil {
						t.Fatal(err)
					}
					return near.Stats().Hits > before
				})
				kept := near.Stats().Entries
				if err := p.here.Delete(t.Context(), r.ID); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the end of "+id, func() bool {
					_, err := near.Load(t.Context(), id)
					return errors.Is(err, store.ErrNotFound)
				})
				if lost := kept - near.Stats().Entries; lost > 1 {
					t.Errorf("the end of one session has dropped %d", lost)
				}
				create(t, p.here, record("kept with "+id))
				if _, err := near.Load(t.Context(), "kept with "+id); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// New detects and replaces a trigger of an earlier version, which sent ids.
func TestEarlierTrigger(t *testing.T) {
	t.Parallel()
	const earlier = `CREATE OR REPLACE FUNCTION "session_nest_watch"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'Etc/UTC' AS $$
DECLARE
	word text := 'all';
	key text := '';
BEGIN
	IF TG_OP = 'DELETE' THEN
		word := 'ended 0 ';
	ELSIF TG_OP = 'UPDATE' THEN
		word := 'changed ' || txid_current() % 4294967296 || ' ';
	END IF;
	IF word <> 'all' THEN
		key := encode(convert_to(OLD."sid"::text, 'UTF8'), 'hex');
	END IF;
	PERFORM pg_notify('nest_session_' || left(encode(sha256(convert_to(format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), 'UTF8')), 'hex'), 40), word || key);
	RETURN NULL;
END
$$`
	c := layouts["ConnectPgSimple"]
	p := newPair(t, c)
	exec(t, p.pool, earlier)
	without := c
	without.Create = false
	_, err := pgxstore.New(t.Context(), p.pool, without)
	if err == nil || !strings.Contains(err.Error(), "CREATE OR REPLACE FUNCTION") {
		t.Errorf("a trigger that sends ids is accepted: %v", err)
	}
	newStore(t, p.pool, c)
	s := newStranger(t, p)
	create(t, p.here, record("secret"))
	if err := p.here.Delete(t.Context(), "secret"); err != nil {
		t.Fatal(err)
	}
	if payload := s.hear(t, "ended"); strings.Contains(payload, hex.EncodeToString([]byte("secret"))) {
		t.Errorf("after the upgrade: %q", payload)
	}
	eventually(t, "the end, heard by nodes that were there before", func() bool {
		return slices.Contains(p.watch.take(), store.Event{Digest: store.DigestOf("secret"), Ended: true}) || p.watch.missed() > 1
	})
}

// Errors hold no id and no row, not even in the parts that errors.As finds, whatever details
// the database sends.
func TestErrorsHoldNoID(t *testing.T) {
	t.Parallel()
	c := layouts["ConnectPgSimple"]
	p := newPair(t, c)
	exec(t, p.pool, `ALTER TABLE session ADD CONSTRAINT small CHECK (length(sess::text) < 1500)`)
	r := record("vQ1x5sN8-hXg3mZy0pWk7tRb2cJf9LdA")
	r = create(t, p.here, r)
	r.Data = []byte(`{"cookie":{},"token":"hunter2","pad":"` + strings.Repeat("x", 2000) + `"}`)
	_, err := p.here.Update(t.Context(), r)
	if err == nil {
		t.Fatal("the constraint does nothing")
	}
	holdsNothing(t, err, r.ID, "hunter2")
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() != "23514" {
		t.Errorf("the error does not tell its SQLSTATE any more: %v", err)
	}
}

// holdsNothing checks all parts of an error, as some programs report them.
func holdsNothing(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for err := err; err != nil; err = errors.Unwrap(err) {
		text := fmt.Sprintf("%v %+v %#v", err, err, err)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the error holds %q: %s", secret, text)
			}
		}
	}
}
