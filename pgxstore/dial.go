package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// dial opens a connection to the server itself, as the pool opens its own. It is none of
// the pool's: a pool whose connections are all in use, or all dead, shall not keep the
// node from hearing of changes.
func (s *Store) dial(ctx context.Context) (*pgx.Conn, error) {
	c := s.server.Config()
	to := c.ConnConfig
	if c.BeforeConnect != nil {
		if err := c.BeforeConnect(ctx, to); err != nil {
			return nil, fmt.Errorf("pgxstore: before connecting: %w", err)
		}
	}
	to.DefaultQueryExecMode = pgx.QueryExecModeExec // one round trip for what is asked once
	to.OnNotification = nil                         // they are ours
	to.Tracer = nil                                 // a heartbeat belongs to no request
	conn, err := pgx.ConnectConfig(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("pgxstore: %w", err)
	}
	if c.AfterConnect != nil {
		if err := c.AfterConnect(ctx, conn); err != nil {
			hangUp(conn)
			return nil, fmt.Errorf("pgxstore: after connecting: %w", err)
		}
	}
	if err := direct(ctx, conn); err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("pgxstore: %w", err)
	}
	return conn, nil
}

var (
	errPooler = errors.New("the connection goes through a pooler, such as PgBouncer, which gives it to others between two statements, so that notifications get lost: set Config.Direct to a pool whose connections go to the server itself")

	errStandby = errors.New("the server is a hot standby, which takes no writes, is behind and cannot LISTEN: connect to the primary (target_session_attrs=read-write); a cache in front (package nearcache) takes the reads off it")
)

// direct refuses a connection that notifications do not come through. A pooler has its
// clients cancel by keys of its own, so that the process id that came with the key is not
// the one that the server has.
func direct(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	var standby bool
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid(), pg_is_in_recovery()").Scan(&pid, &standby); err != nil {
		return fmt.Errorf("asking the server what it is: %w", err)
	}
	switch {
	case standby:
		return errStandby
	case pid != conn.PgConn().PID():
		return errPooler
	}
	return nil
}

// sameTable refuses a way to the server that leads to another one than the pool, or to
// another table: what is heard there is nothing that matters here.
func (s *Store) sameTable(ctx context.Context, pool *pgxpool.Pool, conn *pgx.Conn) error {
	const which = "SELECT concat_ws(' ', pg_postmaster_start_time(), to_regclass($1::text)::oid)"
	table := s.config.trigger(s.config.Schema, "").table
	var one, two string
	err := pool.QueryRow(ctx, which, table).Scan(&one)
	if err == nil {
		err = conn.QueryRow(ctx, which, table).Scan(&two)
	}
	if err != nil {
		return fmt.Errorf("pgxstore: comparing Config.Direct with the pool: %w", err)
	}
	if one != two {
		return fmt.Errorf("pgxstore: Config.Direct leads to another server than the pool, or finds another table by the name %s", table)
	}
	return nil
}

// hangUp closes a connection, whether the server answers or not.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
