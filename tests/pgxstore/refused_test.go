package pgxstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/tests/internal/relay"
)

// New returns an error for what cannot work. It says what to do, and holds no password.
func TestRefused(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	dsn := server.NewDatabase(t)
	pool := newPool(t, dsn)
	newStore(t, pool, pgxstore.Config{Create: true})
	pooler := relay.New(t, server.Addr())
	pooler.OnReply(asPooler)
	exec(t, pool, "CREATE VIEW v AS SELECT * FROM nest_sessions")
	exec(t, pool, "CREATE TABLE parts (id bytea PRIMARY KEY, owner bytea NOT NULL DEFAULT '', expires bigint NOT NULL, due bigint NOT NULL DEFAULT 0, data bytea NOT NULL) PARTITION BY HASH (id)")
	exec(t, pool, "CREATE INDEX ON parts (owner); CREATE INDEX ON parts (due)")
	elsewhere := newPool(t, server.NewDatabase(t))
	newStore(t, elsewhere, pgxstore.Config{Create: true})
	for name, test := range map[string]struct {
		dsn    string
		config pgxstore.Config
		says   string
	}{
		"dialect":     {dsn, pgxstore.Config{Layout: sqlstore.ExpressMySQLSession}, "ConnectPgSimple"},
		"heartbeat":   {dsn, pgxstore.Config{Heartbeat: -1}, "Heartbeat"},
		"columns":     {dsn, pgxstore.Config{OwnerColumn: "o"}, "OwnerColumn"},
		"pooler":      {pooler.Through(dsn), pgxstore.Config{}, "Config.Direct"},
		"elsewhere":   {dsn, pgxstore.Config{Direct: elsewhere}, "another server than the pool"},
		"partitioned": {dsn, pgxstore.Config{Table: "parts"}, "ordinary table"},
		"several":     {strings.Replace(dsn, server.Addr(), server.Addr()+",127.0.0.2:1", 1), pgxstore.Config{}, "target_session_attrs=read-write"},
		"password":    {strings.Replace(dsn, server.Password(), "wr0ng-p4ss", 1), pgxstore.Config{}, "password authentication failed"},
		"nobody":      {strings.Replace(dsn, server.Addr(), "127.0.0.1:1", 1), pgxstore.Config{}, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pgxstore.New(t.Context(), newPool(t, test.dsn), test.config)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("the error does not say %q: %v", test.says, err)
			}
			for _, secret := range []string{server.Password(), "wr0ng-p4ss"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds the password: %v", err)
				}
			}
		})
	}
	t.Run("nil", func(t *testing.T) {
		t.Parallel()
		if _, err := pgxstore.New(t.Context(), nil, pgxstore.Config{}); err == nil {
			t.Error("no pool is no error")
		}
		if _, err := pgxstore.Statements(pgxstore.Config{Layout: sqlstore.ConnectSQLite3}); err == nil {
			t.Error("a layout of SQLite is no error")
		}
	})
	t.Run("several, the primary alone", func(t *testing.T) {
		t.Parallel()
		more := strings.Replace(dsn, server.Addr(), "127.0.0.1:1,"+server.Addr(), 1) + "&target_session_attrs=read-write"
		newStore(t, newPool(t, more), pgxstore.Config{})
	})
}

// With a pooler in front of the server, Direct opens the connection that listens.
func TestDirect(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	dsn := server.NewDatabase(t)
	pooler := relay.New(t, server.Addr())
	pooler.OnReply(asPooler)
	s := newStore(t, newPool(t, pooler.Through(dsn)), pgxstore.Config{
		Create: true, Direct: newPool(t, dsn), Heartbeat: 50 * time.Millisecond,
	})
	e := listenTo(t, s)
	create(t, s, record("a"))
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := e.only("a deletion"); got != (store.Event{Digest: store.DigestOf("a"), Ended: true}) {
		t.Errorf("%+v", got)
	}
}

// New returns an error for a hot standby. After a failover, a Store waits until the standby
// has become the primary.
func TestStandby(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t, servers.PostgresOptions{})
	dsn := server.NewDatabase(t)
	pool := newPool(t, dsn)
	c := pgxstore.Config{Create: true, Heartbeat: 50 * time.Millisecond}
	s := newStore(t, pool, c)
	e := listenTo(t, s)
	r := record("session-1")
	create(t, s, r)

	server.Stop()
	data := filepath.Join(server.Dir(), "data")
	signal := filepath.Join(data, "standby.signal") // it starts as a standby of nobody
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if is, err := os.Stat(data); err != nil {
		t.Fatal(err)
	} else if sys := is.Sys().(*syscall.Stat_t); os.Getuid() == 0 {
		if err := os.Chown(signal, int(sys.Uid), int(sys.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	server.Restart()
	for _, create := range []bool{true, false} {
		c.Create = create
		eventually(t, "an answer of the standby", func() bool {
			_, err := pgxstore.New(t.Context(), pool, c)
			return err != nil && strings.Contains(err.Error(), "hot standby") && strings.Contains(err.Error(), "primary")
		})
	}
	eventually(t, "an answer to a read", func() bool {
		_, err := s.Load(t.Context(), r.ID)
		return err == nil
	})
	if err := s.Delete(t.Context(), r.ID); err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("a write to the standby: %v", err)
	}

	lost := e.missed()
	server.Exec(t, "postgres", "SELECT pg_promote()")
	eventually(t, "that changes are reported again", func() bool { return e.missed() > lost && e.wholeSince(time.Now().Add(-time.Second)) })
	if err := s.Delete(context.Background(), r.ID); err != nil {
		t.Fatal(err)
	}
	if got := e.only("a deletion"); got != (store.Event{Digest: store.DigestOf(r.ID), Ended: true}) {
		t.Errorf("%+v", got)
	}
}

// asPooler changes the process id in a BackendKeyData message, as poolers do, whose clients cancel
// by ids of the pooler (www.postgresql.org/docs/current/protocol-message-formats.html).
func asPooler(reply []byte) []byte {
	if i := bytes.Index(reply, []byte("K\x00\x00\x00\x0c")); i >= 0 && len(reply) >= i+9 {
		pid := reply[i+5 : i+9]
		binary.BigEndian.PutUint32(pid, binary.BigEndian.Uint32(pid)+1)
	}
	return reply
}
